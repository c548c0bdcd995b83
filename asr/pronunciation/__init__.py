"""Pronunciations of words: a lexicon, rules, and a trained converter for all other words.

May import `asr.seq2seq` and below.
"""
