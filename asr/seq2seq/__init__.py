"""Converters from one sequence of symbols to another, with attention or CTC.

Pairs, networks, beam search, the converter in NumPy, and translation between languages.

May import `asr.ctc`, `asr.networks` and below.
"""
