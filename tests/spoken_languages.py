"""Sentences of the clips in tests/fixtures/languages."""

from __future__ import annotations

from typing import NamedTuple


class Sentence(NamedTuple):
    """A sentence as it is written, and its normalised words."""

    text: str
    words: str


SENTENCES = {
    "de": (
        Sentence("Schöne Grüße!", "schöne grüße"),
        Sentence("Die Straße ist weiß.", "die straße ist weiß"),
    ),
    "ru": (Sentence("Ещё 3 ёлки!", "ещё три ёлки"), Sentence("Большой объём.", "большой объём")),
    "ko": (
        Sentence("안녕하세요, 여러분!", "안녕하세요 여러분"),
        Sentence("날씨가 좋다.", "날씨가 좋다"),
    ),
    "tr": (
        Sentence("IŞIK DIŞARIDA.", "ışık dışarıda"),
        Sentence("İzmir'de iki ağaç.", "izmir'de iki ağaç"),
    ),
}
"""Language → its sentences."""
