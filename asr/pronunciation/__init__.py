"""How words sound: a lexicon, rules, and a trained speller for the rest.

May import `asr.seq2seq` and below.
"""
