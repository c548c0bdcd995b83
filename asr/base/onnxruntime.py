"""ONNX Runtime, imported without its telemetry.

From version 1.29 on, its packages for Linux and macOS report to their maker by default: an
identifier of the device, names of models, and how long they run. The audio of our users' rooms and
the names of their models are nobody's business. Every module that needs ONNX Runtime imports it
from here. `ORT_DISABLE_TELEMETRY=0` in the environment allows the reports.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, during the import

import onnxruntime

__all__ = ["onnxruntime"]
