from __future__ import annotations

import subprocess
from pathlib import Path

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.seq2seq.catalogues import Catalogue, cleaned, gather, messages, near, one_each, split_of

MESSAGES = {
    "_Open File...": "파일 열기(_O)...",
    "Open file": "파일 열기",
    "Open %d files": "파일 %d개 열기",
    "<b>Bold</b>": "<b>굵게</b>",
    "GNOME": "GNOME",
    "Untranslated": "",
}


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A Debian package, unpacked, with a Korean catalogue and a German one."""
    file = polib.POFile()
    file.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    file.extend(polib.POEntry(msgid=e, msgstr=k) for e, k in MESSAGES.items())
    file.append(polib.POEntry(msgctxt="verb", msgid="Page", msgstr="쪽"))
    plural = polib.POEntry(msgid="One day", msgid_plural="%d days", msgstr_plural={0: "하루"})
    file.append(plural)
    for language in ("ko", "de"):
        folder = tmp_path / "package/usr/share/locale" / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        file.save_as_mofile(str(folder / "program.mo"))
    return tmp_path / "package"


def test_messages_are_those_of_korean_catalogues(catalogue: Path) -> None:
    found = list(messages(catalogue))
    assert dict(found) == {
        **{e: k for e, k in MESSAGES.items() if k}, "Page": "쪽", "One day": "하루",
    }  # fmt: skip
    assert len(found) == 7


@pytest.mark.parametrize(
    ("english", "korean", "pair"),
    [
        ("_File", "파일(_F)", ("file", "파일")),
        ("Save &As…", "다른 이름으로 저장(&A)…", ("save as", "다른 이름으로 저장")),
        ("~Name :", "이름(~N):", ("name", "이름")),
        ("It’s  “safe”\nnow.", "이제 안전합니다.", ("it's safe now.", "이제 안전합니다.")),
        ("Page 2", "2쪽", ("page 2", "2쪽")),
        ("_one _two", "하나 둘", None),
        ("%s days", "%s일", None),
        ("Hello, {name}", "{name} 안녕", None),
        ("R&amp;D", "연구 개발", None),
        ("<b>Bold</b>", "<b>굵게</b>", None),
        ("Use OpenGL", "OpenGL 사용", None),
        ("OK", "OK", None),
        ("12:30", "열두 시 반", None),
        ("a " * 13, "가", None),
        ("long", "가" * 61, None),
        ("", "", None),
    ],
)  # fmt: skip
def test_short_phrases_of_words_are_kept_without_marks(
    english: str, korean: str, pair: tuple[str, str] | None
) -> None:
    assert cleaned(english, korean) == pair


@given(st.text(), st.text())
def test_cleaning_twice_changes_nothing(english: str, korean: str) -> None:
    once = cleaned(english, korean + "가")
    assert once is None or cleaned(*once) in (once, None)


@given(st.from_regex(r"[a-z]+( [a-z]+){0,3}", fullmatch=True), st.integers(0, 9999))
def test_near_duplicates_are_in_one_split(phrase: str, number: int) -> None:
    variants = [phrase.upper(), f"{phrase} {number}", f"({phrase})?", phrase.replace(" ", "-")]
    assert {near(variant) for variant in variants} == {near(phrase)}
    assert {split_of(variant) for variant in variants} == {split_of(phrase)}


def test_splits_have_their_shares() -> None:
    found = [split_of(f"phrase {chr(97 + i % 26)}{chr(97 + i // 26)}") for i in range(676)]
    assert [found.count(split) for split in ("train", "dev", "test")] == [606, 36, 34]


def test_the_most_frequent_translation_stays() -> None:
    pairs = [("open", "열린"), ("open", "열기"), ("close", "닫기"), ("open", "열기"),
             ("close", "닫음")]  # fmt: skip
    assert one_each(pairs) == [("open", "열기"), ("close", "닫기")]


def test_packages_become_splits_and_records(catalogue: Path, tmp_path: Path) -> None:
    control = catalogue / "DEBIAN" / "control"
    control.parent.mkdir()
    control.write_text(
        "Package: program\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b.c>\n"
        "Description: a program\n"
    )
    cache = tmp_path / "cache" / "program"
    cache.mkdir(parents=True)
    build = ["dpkg-deb", "--build", str(catalogue), str(cache / "program_1.0_all.deb")]
    subprocess.run(build, check=True, capture_output=True)
    splits, records = gather(tmp_path / "cache", [Catalogue("program", "GPL-2+")])
    assert sorted(pair for pairs in splits.values() for pair in pairs) == [
        ("one day", "하루"), ("open file", "파일 열기"), ("page", "쪽"),
    ]  # fmt: skip
    assert all(split_of(english) == split for split in splits for english, _ in splits[split])
    (record,) = records
    assert record["messages"] == 7 and record["phrases"] == 4 and record["licence"] == "GPL-2+"
    assert len(str(record["sha256"])) == 64 and record["package"] == "program_1.0_all.deb"
    assert gather(tmp_path / "cache", [Catalogue("program", "GPL-2+")]) == (splits, records)
