"""Converters from one sequence of symbols to another, with attention or CTC.

Pairs, networks, search, the numpy converter, and translation between languages.

May import `asr.ctc`, `asr.networks` and below.
"""
