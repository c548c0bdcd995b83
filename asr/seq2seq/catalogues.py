"""English phrases and their Korean translations, out of the message catalogues of free programs.

A program's catalogue (gettext's .mo) holds its messages in English and in the user's language. As
they come out of Debian packages they are short, technical, and by many hands; each package's
copyright file says under which licence.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asr.base.downloads import debian, unpacked
from asr.base.progress import track
from asr.errors import ModelError

WORDS = 12
"""Of a longer English message no more is known than that it is no short phrase."""
LONGEST = 60
"""Characters of a Korean phrase."""

_ACCELERATOR = re.compile(r"\s*\([&_~][A-Za-z0-9]\)|[&_~](?=\w)(?!\w+;)")
"""The mark of a menu item's key: "_File" or "&File" or "~File", and "파일(_F)"."""
_ORNAMENT = re.compile(r"\s*(\.\.\.|…|:)$|\s+(?=[?!.,:])")
_ENGLISH = re.compile(r"[A-Za-z0-9 ,.?!:;'()/+-]+")
_KOREAN = re.compile(r"[가-힣0-9 ,.?!:;'()/+~-]+")
_PLAIN = str.maketrans("’‘“”–", "''\"\"-")
_HANGUL = re.compile("[가-힣]")
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Catalogue:
    """A Debian package with Korean catalogues; licence: what its copyright file says of them."""

    package: str
    licence: str


CATALOGUES = (
    Catalogue("libreoffice-l10n-ko", "MPL-2.0"),
    Catalogue("iso-codes", "LGPL-2.1+"),
    Catalogue("libgtk-3-common", "LGPL-2+"),
    Catalogue("libgtk-4-common", "LGPL-2+ and LGPL-2.1+"),
    Catalogue("libglib2.0-data", "LGPL-2.1+"),
    Catalogue("kate5-data", "LGPL-2+"),
    Catalogue("audacious-plugins-data", "BSD-2-Clause"),
    Catalogue("audacity-data", "CC-BY-3.0 or GPL-2+"),
    Catalogue("xkb-data", "MIT-like"),
    Catalogue("krita-l10n", "GPL and LGPL"),
    Catalogue("evolution-common", "LGPL-2 or LGPL-3"),
    Catalogue("aisleriot", "GPL-3+"),
    Catalogue("dia-common", "GPL-2"),
    Catalogue("dolphin", "GPL-2+"),
    Catalogue("epiphany-browser-data", "GPL-3+"),
    Catalogue("gimp-data", "GPL-3+"),
    Catalogue("gnome-control-center-data", "GPL-2+"),
    Catalogue("gnome-software-common", "GPL-2+"),
    Catalogue("gnome-terminal-data", "GPL-3+"),
    Catalogue("gnucash-common", "GPL-2+"),
    Catalogue("gnumeric-common", "GPL-2 or GPL-3"),
    Catalogue("hexchat-common", "GPL-2+ with OpenSSL exception"),
    Catalogue("inkscape", "GPL"),
    Catalogue("kdenlive-data", "GPL-2+"),
    Catalogue("kgeography-data", "GPL-2+"),
    Catalogue("nautilus-data", "GPL-3+"),
    Catalogue("pidgin-data", "GPL-2+"),
    Catalogue("plasma-workspace-data", "GPL-2+"),
    Catalogue("vlc-l10n", "GPL-2+"),
)


def messages(folder: Path) -> Iterator[tuple[str, str]]:
    """English and Korean of every translated message in the Korean catalogues under a folder; of a
    message with a plural, the singular (Korean has one form for both).

    Raises:
        ModelError: the package polib is not installed.
    """
    try:
        import polib
    except ImportError:
        raise ModelError("reading catalogues needs a package: pip install polib") from None

    for path in sorted(folder.rglob("ko/LC_MESSAGES/*.mo")):
        for entry in polib.mofile(str(path)):
            yield entry.msgid, entry.msgstr or entry.msgstr_plural.get(0, "")


def cleaned(english: str, korean: str) -> tuple[str, str] | None:
    """The phrase of a message and its translation, or None if it is no short phrase of words.

    Keys' marks, the dots of "Open..." and the colon of "Name:" are removed, and the English is put
    in lower case, as in transcripts, for programs write "Save As", "Save as" and "save as". Left
    out are messages with placeholders, mark-up or anything else than words, numbers and
    punctuation, and translations that keep English words: to copy is not to translate.
    """
    pair = []
    for text in (english, korean):
        text = " ".join(text.translate(_PLAIN).replace('"', "").split())
        if len(_ACCELERATOR.findall(text)) > 1:
            return None
        pair.append(_ORNAMENT.sub("", _ACCELERATOR.sub("", text)).strip())
    english, korean = pair
    if not (_ENGLISH.fullmatch(english) and _KOREAN.fullmatch(korean)):
        return None
    if not (_LETTERS.search(english) and _HANGUL.search(korean)):
        return None
    if len(english.split()) > WORDS or len(korean) > LONGEST:
        return None
    return english.lower(), korean


def near(english: str) -> str:
    """What near duplicates share: the letters, without case, digits, punctuation and spaces."""
    return "".join(_LETTERS.findall(english.lower()))


def split_of(english: str) -> str:
    """train, dev or test (90/5/5) by the hash of `near`: near duplicates are in one split, today
    and after any change of the packages."""
    place = int(hashlib.sha256(near(english).encode()).hexdigest(), 16) % 20
    return {10: "test", 19: "dev"}.get(place, "train")


def one_each(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Every English phrase once, with its most frequent translation (of equals, the first)."""
    translations: dict[str, Counter[str]] = {}
    for english, korean in pairs:
        translations.setdefault(english, Counter())[korean] += 1
    return [(english, found.most_common(1)[0][0]) for english, found in translations.items()]


def gather(
    folder: Path, catalogues: Collection[Catalogue] = CATALOGUES
) -> tuple[dict[str, list[tuple[str, str]]], list[dict[str, str | int]]]:
    """Pairs of each split, and of each package what was fetched and how much came of it.

    Args:
        folder: where downloads are kept.

    Raises:
        OSError, subprocess.SubprocessError: apt-get or dpkg is missing or failed.
    """
    pairs: list[tuple[str, str]] = []
    records: list[dict[str, str | int]] = []
    for catalogue in track(catalogues, len(catalogues), "catalogues"):
        files, record = unpacked(*debian(catalogue.package), folder / catalogue.package)
        found = list(messages(files))
        good = [pair for message in found if (pair := cleaned(*message))]
        pairs += good
        counts = {"messages": len(found), "phrases": len(good)}
        records.append({**record, "licence": catalogue.licence, **counts})
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "test": []}
    for pair in one_each(pairs):
        splits[split_of(pair[0])].append(pair)
    return splits, records
