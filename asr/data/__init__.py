"""Recordings and texts on disk.

Manifests and their checks, corpora, inputs of a batch, and freely licensed prose.

May import `asr.ctc`, `asr.audio`, `asr.text` and below.
"""
