"""The phone inventory: ARPAbet, with stress for voices and without stress for recognisers."""

from __future__ import annotations

from asr.text.tokenizers import BLANK_LABEL

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH"),
    *("T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONES = tuple(vowel + stress for vowel in VOWELS for stress in "01") + CONSONANTS
"""Phones of voices. Vowels have the stress 0 or 1.

CMUdict's secondary stress, 2, is left out: an hour of speech has too few examples of it.
"""
Phones = tuple[str, ...]
"""A pronunciation: the phones of one word."""
UNSTRESSED = tuple(dict.fromkeys(phone.rstrip("01") for phone in PHONES))
"""The 39 phones of ARPAbet without stress, which recognisers use."""
PHONE_LABELS = (BLANK_LABEL, *UNSTRESSED)
"""Phones by label id in a recogniser's second head; the blank has the same id as in a tokenizer."""
