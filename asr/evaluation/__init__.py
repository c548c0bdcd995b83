"""How wrong a model is, in numbers, words and pictures.

Error rates, reports, plots, calibration of confidence, tuning of decoding weights, round trips.

May import `asr.recognizer`, `asr.tts` and below.
"""
