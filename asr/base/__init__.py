"""What every other folder stands on, and nothing about speech.

Configuration files, atomic writes, progress bars, Ctrl-C, provenance records, downloads,
batching of sequences, and the one import of TensorFlow.

May import only `asr.errors`.
"""
