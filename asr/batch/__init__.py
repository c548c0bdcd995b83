"""Thousands of recordings: worker processes, output folders, resuming.

May import `asr.serving`, `asr.formats`, `asr.recognizer` and below.
"""
