"""Rules for addresses of machines: e-mail, URLs, files, handles, hashtags, IP, versions."""

from __future__ import annotations

import re
from collections.abc import Collection

from asr.text.verbalisation.numerals import code, digit_by_digit, read_number
from asr.text.verbalisation.rules import letter_names, rule, words_of

_MARKS = {
    ".": "dot",
    "/": "slash",
    ":": "colon",
    "-": "dash",
    "_": "underscore",
    "@": "at",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "+": "plus",
    "~": "tilde",
    "%": "percent",
    ",": "comma",
    ";": "semicolon",
    "!": "exclamation mark",
    "*": "star",
    "$": "dollar",
    "'": "apostrophe",
    "(": "open parenthesis",
    ")": "close parenthesis",
}
_SHORT_WORDS = frozenset(
    words_of("co go me my in on to at it is no so we up us be by do he if of or")
)
"""Words of two letters. Other pairs of letters, such as domains of countries, are spelled."""
_SPELLED = frozenset(("www", "http", "https", "ftp", "html", "pdf", "edu", "php", "xml", "css"))
_DOMAINS = frozenset(("com", "org", "net", "gov", "info", "biz"))
_PIECE = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[\ue061-\ue07a]|[^\W_]+|[^\s]")


def read_address(written: str, known: Collection[str]) -> str:
    """The parts of an address in words: letters, numbers, and the names of its marks.

    Args:
        written: an address without spaces, such as "example.com/about".
        known: words; others of up to three letters or without vowels are read letter by letter.
    """
    return " ".join(_piece(piece, known) for piece in _PIECE.findall(written))


def _piece(piece: str, known: Collection[str]) -> str:
    if piece.isdecimal():
        return code(piece)
    if not piece.isalnum():
        return _MARKS.get(piece, piece if 0xE061 <= ord(piece[0]) <= 0xE07A else " ")
    word = piece.lower()
    if not word.isascii():
        return word
    if len(word) == 1:
        return letter_names(word)
    if word in _DOMAINS:
        return word
    if word in _SPELLED or (len(word) == 2 and word not in _SHORT_WORDS):
        return letter_names(word)
    if word not in known and (len(word) == 3 or not re.search("[aeiouy]", word)):
        return letter_names(word)
    return word


def _url(m: re.Match[str], known: Collection[str]) -> str:
    written, end = _without_final_marks(m[0])
    protocol, separator, rest = written.partition("://")
    start = f"{letter_names(protocol)} colon slash slash " if separator else ""
    return start + read_address(rest if separator else written, known) + end


def _without_final_marks(written: str) -> tuple[str, str]:
    """An address, and the punctuation of the sentence behind it."""
    address = written.rstrip(".,;:!?)]}'\"")
    if written[len(address) :].startswith(")") and "(" in address:
        address += ")"
    return address.removesuffix("/"), written[len(address) :]


def _hashtag(m: re.Match[str], known: Collection[str]) -> str:
    words = [
        letter_names(piece)
        if piece.isupper() and len(piece) <= 5 and piece.lower() not in _WORDS
        else code(piece)
        if piece.isdecimal()
        else piece.lower()
        for piece in _PIECE.findall(m["tag"])
        if piece != "_"
    ]
    return f"hashtag {' '.join(words)}"


_WORDS = frozenset(("covid",))


def _ip(m: re.Match[str]) -> str | None:
    octets = m["address"].split(".")
    if any(int(octet) > 255 for octet in octets):
        return None
    words = " dot ".join(code(octet) for octet in octets)
    if m["prefix"]:
        words += f" slash {code(m['prefix'])}"
    return words + (f" colon {code(m['port'])}" if m["port"] else "")


def _points(written: str) -> str:
    return " point ".join(
        digit_by_digit(part) if part[0] == "0" else read_number(part) for part in written.split(".")
    )


ELECTRONIC_RULES = (
    rule(
        "electronic: e-mail",
        r"(?<![\w.+@-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}(?<![.-])",
        lambda m, known: read_address(m[0], known),
        lexical=True,
    ),
    rule(
        "electronic: URL with a protocol",
        r"\b(?:https?|ftp|file)://[^\s<>\"]{1,2000}",
        _url,
        lexical=True,
    ),
    rule(
        "electronic: host and path",
        r"(?<![\w.@/-])(?:(?:www\.|[A-Za-z0-9-]{1,63}\.(?=[a-z]{2}))[a-z0-9-]{1,63}"
        r"(?:\.[a-z]{2,63}){0,4}(?::\d{2,5})?/|www\.|localhost:\d)[^\s<>\"]{0,2000}",
        _url,
        lexical=True,
    ),
    rule(
        "electronic: host or file",
        r"(?<![\w.@-])[A-Za-z0-9][\w-]{0,63}(?:\.[A-Za-z0-9_-]{1,63}){0,4}\.[a-z][a-z0-9]{1,9}\b"
        r"(?![.]\w)(?<!\dth)",
        lambda m, known: read_address(m[0], known),
        lexical=True,
    ),
    rule(
        "electronic: handle",
        r"(?<![\w@.])@(?P<name>\w{1,30})\b",
        lambda m, known: f"at {read_address(m['name'], known)}",
        lexical=True,
    ),
    rule(
        "electronic: hashtag",
        r"(?<![\w&#])#(?P<tag>[A-Za-z]\w{0,60})",
        _hashtag,
        lexical=True,
    ),
    rule("electronic: .NET", r"(?<![\w.])\.NET\b", lambda m: "dot net"),
    rule(
        "electronic: IP address",
        r"(?<![\w.])(?P<address>\d{1,3}(?:\.\d{1,3}){3})(?![\w]|\.\d)(?:/(?P<prefix>\d{1,2})\b)?"
        r"(?::(?P<port>\d{1,5})\b)?",
        _ip,
    ),
)
VERSION_RULES = (
    rule(
        "versions: with v",
        r"\b[vV]\.?\s?(?P<version>\d{1,5}(?:\.\d{1,5}){1,5})\b(?!\.\d)",
        lambda m: f"{letter_names('v')} {_points(m['version'])}",
    ),
    rule(
        "versions: several points",
        r"(?<![\w.])\d{1,12}(?:\.\d{1,12}){2,50}\b",
        lambda m: _points(m[0]),
    ),
)
