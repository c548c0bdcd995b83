"""Evaluation: error rates, reports, plots, calibration of confidences, tuning of decoding weights,
round trips through a voice and a recogniser, and checks of synthetic speech by Whisper.

May import `asr.recognizer`, `asr.tts` and below.
"""
