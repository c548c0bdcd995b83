"""Evaluation: error rates, reports, plots, calibration of confidences, tuning of decoding weights,
and round trips through a voice and a recogniser.

May import `asr.recognizer`, `asr.tts` and below.
"""
