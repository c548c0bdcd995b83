"""From written text to label ids.

Normalisers, tokenizers, the phone inventory, and the expansion of numbers and abbreviations.

May import `asr.base`.
"""
