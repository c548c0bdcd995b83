"""Transcripts as text, JSON, subtitles, CTM, TextGrid and tables.

May import `asr.base` and `asr.results`.
"""
