"""Helpers that know nothing about speech.

Configuration files, atomic writes, progress bars, Ctrl-C, provenance records, downloads of
packages, padding and batching of sequences, confidence intervals, names of units, running
notebooks, and the one import of TensorFlow.

May import only `asr.errors`.
"""
