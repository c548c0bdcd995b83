"""Recordings and texts on disk.

Manifests and their checks, corpora, the recordings that a command names, and freely licensed prose.

May import `asr.ctc`, `asr.audio`, `asr.text` and below.
"""
