"""Recordings and texts on disk.

Manifests and their checks, corpora, the recordings that a command names, freely licensed prose, and
sentences for voices to read.

May import `asr.ctc`, `asr.audio`, `asr.text` and below.
"""
