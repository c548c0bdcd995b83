"""Text and its label ids.

Normalisers, tokenizers, the phone inventory,
and the expansion of dates and abbreviations to words.

May import `asr.base`.
"""
