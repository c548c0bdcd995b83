"""The phone inventory: ARPAbet with stress for voices, without stress for recognisers."""

from __future__ import annotations

from asr.text.tokenizers import BLANK

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T",
    "TH", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
PHONES = tuple(vowel + stress for vowel in VOWELS for stress in "01") + CONSONANTS
"""Vowels with their stress, 0 or 1: an hour of speech has too few of CMUdict's secondary ones."""
Phones = tuple[str, ...]
"""A pronunciation."""
UNSTRESSED = tuple(dict.fromkeys(phone.rstrip("01") for phone in PHONES))
"""ARPAbet's 39 phones without stress, which a recogniser need not hear."""
PHONE_LABELS = ("", *UNSTRESSED)
"""Phones by the label id of a recogniser's second head. The blank's id is that of every tokenizer."""
assert PHONE_LABELS[BLANK] == ""
