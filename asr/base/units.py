"""Names of units for type annotations. A checker treats them as plain numbers."""

from __future__ import annotations

Seconds = float
"""A duration or a point in time."""

Samples = int
"""A number of samples of one channel."""

Hertz = int
"""A sample rate: samples per second."""
