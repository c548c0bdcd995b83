"""From a YAML file to a model directory.

The trainer with exact resume, datasets, one module per kind of model, ablations.

May import `asr.evaluation`, `asr.tts` and below.
"""
