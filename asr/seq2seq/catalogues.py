"""English phrases and their Korean translations, from the message catalogues of free programs.

A program's catalogue (a .mo file of gettext) holds its messages in English and in the user's
language. The messages are short and technical, and have many authors. The copyright file of each
Debian package names the licence.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asr.base.downloads import debian_package, fetch_package
from asr.base.progress import track
from asr.errors import ModelError

MAX_ENGLISH_WORDS = 12
"""Longest English phrase; longer messages are left out."""
MAX_KOREAN_CHARACTERS = 60
"""Longest Korean phrase; longer messages are left out."""

_ACCELERATOR = re.compile(r"\s*\([&_~][A-Za-z0-9]\)|[&_~](?=\w)(?!\w+;)")
"""Marks the key of a menu item: "_File", "&File", "~File" or "파일(_F)"."""
_ORNAMENT = re.compile(r"\s*(\.\.\.|…|:)$|\s+(?=[?!.,:])")
_ENGLISH = re.compile(r"[A-Za-z0-9 ,.?!:;'()/+-]+")
_KOREAN = re.compile(r"[가-힣0-9 ,.?!:;'()/+~-]+")
_PLAIN = str.maketrans("’‘“”–", "''\"\"-")
_HANGUL = re.compile("[가-힣]")
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Catalogue:
    """A Debian package with Korean catalogues, and their licence by its copyright file."""

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


def read_messages(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield English and Korean of each translated message in the Korean catalogues under a folder.

    A message with a plural gives its singular, because Korean has one form for both.

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


def clean_message(english: str, korean: str) -> tuple[str, str] | None:
    """Clean a message and its translation; None if it is not a short phrase of words.

    Removes the marks of keys, the dots of "Open..." and the colon of "Name:". Puts the English in
    lower case, as in transcripts, because programs write "Save As", "Save as" and "save as". Leaves
    out messages with placeholders, mark-up or other characters than words, numbers and punctuation,
    and translations that keep English words.
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
    if len(english.split()) > MAX_ENGLISH_WORDS or len(korean) > MAX_KOREAN_CHARACTERS:
        return None
    return english.lower(), korean


def duplicate_key(english: str) -> str:
    """Key that near duplicates share: the letters in lower case, without all other characters."""
    return "".join(_LETTERS.findall(english.lower()))


def split_of(english: str) -> str:
    """Split of a phrase: "train", "dev" or "test" (90/5/5), by the hash of `duplicate_key`.

    Near duplicates are in one split, also after the packages change.
    """
    place = int(hashlib.sha256(duplicate_key(english).encode()).hexdigest(), 16) % 20
    return {10: "test", 19: "dev"}.get(place, "train")


def most_frequent_translations(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each English phrase once, with its most frequent translation; the first one on a tie."""
    translations: dict[str, Counter[str]] = {}
    for english, korean in pairs:
        translations.setdefault(english, Counter())[korean] += 1
    return [(english, found.most_common(1)[0][0]) for english, found in translations.items()]


def gather_phrases(
    folder: Path, catalogues: Collection[Catalogue] = CATALOGUES
) -> tuple[dict[str, list[tuple[str, str]]], list[dict[str, str | int]]]:
    """Download the catalogues and collect their phrases.

    Args:
        folder: folder for the downloads.
        catalogues: the packages to use.

    Returns:
        Pairs of English and Korean by split; and a record of each package, with the numbers of
        messages and phrases.

    Raises:
        OSError, subprocess.SubprocessError: apt-get or dpkg is missing or failed.
    """
    pairs: list[tuple[str, str]] = []
    records: list[dict[str, str | int]] = []
    for catalogue in track(catalogues, len(catalogues), "catalogues"):
        package = fetch_package(debian_package(catalogue.package), folder / catalogue.package)
        found = list(read_messages(package.folder))
        good = [pair for message in found if (pair := clean_message(*message))]
        pairs += good
        counts = {"messages": len(found), "phrases": len(good)}
        records.append({**package.record(), "licence": catalogue.licence, **counts})
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "test": []}
    for pair in most_frequent_translations(pairs):
        splits[split_of(pair[0])].append(pair)
    return splits, records
