from __future__ import annotations

import lzma
import random
from itertools import islice
from pathlib import Path

import pytest

from asr.data import read_aloud as module
from asr.data.manifest import Utterance, write_manifest
from asr.data.prose import HeldOut, read_lines
from asr.data.read_aloud import PROSE, as_spoken, sentences_to_read, spoken_sentences
from asr.errors import TextError


@pytest.mark.parametrize(
    ("line", "spoken"),
    [
        (
            "\u201cFor Joe?\u201d said Mrs. Stevens placidly.",
            "For Joe? said Missus Stevens placidly.",
        ),
        ("It\u2019s $5.50, Dr. Ross", "It's five dollars fifty cents, Doctor Ross"),
        ("Book it for 7:30, please.", "Book it for seven thirty, please."),
        ("It's at 6:15 am, or 7pm.", "It's at six fifteen A M, or seven P M."),
        ("At 5 p.m. on Friday. I am in", "At five P M on Friday. I am in"),
        ("Hmm, I s see 12 men", "Hmm, I s see twelve men"),
        ("the 5 gb plan", None),
        ("The 3rd of 12 men", "The third of twelve men"),
        ("I waited--twice--for you", "I waited—twice—for you"),
        ("$3 million in all.", "three million dollars in all."),
        ("... and so on", "and so on"),
        ("In 1990 it was.", None),  # nineteen ninety
        ("Call 555-1234", None),
        ("On 3/4 it is", None),
        ("Gate B12A4", None),
        ("Henry VIII did", None),
        ("CHAPTER one", None),
        ("St. Ives is near", None),
        ("Mail me at a.b@c.com", None),
        ("The U.S. is", None),
        ("caf\u00e9 noir", None),
    ],
)
def test_a_line_is_written_as_it_is_spoken(line: str, spoken: str | None) -> None:
    assert as_spoken(line) == spoken


def test_long_or_ambiguous_lines_are_split_into_sentences() -> None:
    lines = [
        "Oh, thank you. It is very kind!",
        "It is",
        "One two three four five six",
        "Yes, I do.",
        "Call 555-1234. I am in now.",
    ]
    assert list(spoken_sentences(lines, 3, 4)) == [
        "Oh, thank you.",
        "It is very kind!",
        "Yes, I do.",
        "I am in now.",
    ]
    assert next(spoken_sentences(lines, 3, 7)) == "Oh, thank you. It is very kind!"


def test_text_files_are_read_compressed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo")
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(b"one\ntwo"))
    assert read_lines(tmp_path / "a.txt") == read_lines(tmp_path / "a.txt.xz") == ["one", "two"]
    (tmp_path / "b.xz").write_bytes(b"no")
    for name in ("b.xz", "none.txt"):
        with pytest.raises(TextError, match=f"{name}: cannot be read"):
            read_lines(tmp_path / name)


def test_texts_alternate_without_held_out_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = ("one", "two", "three", "four", "five", "six", "seven")
    (tmp_path / "a.txt").write_text("\n".join(f"this is {n} a" for n in numbers))
    (tmp_path / "b.txt").write_text(
        "\n".join(f"That is {n} b." for n in numbers[:4]) + "\nthat is ONE B!\nSee you, then.\n"
    )
    write_manifest(tmp_path / "dev.jsonl", [Utterance("This is two A", 1.0, tmp_path / "x.wav")])
    (tmp_path / "more.txt").write_text("see you then\n")
    held_out = HeldOut.read([tmp_path / "dev.jsonl", tmp_path / "more.txt"])
    texts = [tmp_path / "a.txt", tmp_path / "b.txt"]

    def read(seed: int) -> list[str]:
        return list(sentences_to_read(texts, (3, 9), held_out, seed, tmp_path))

    found = read(1)
    assert found == read(1) != read(2)
    assert {s.lower().strip("!.") for s in found} == {s.lower().strip("!.") for s in read(2)}
    assert [sentence[:4] for sentence in islice(found, 8)] == ["this", "That"] * 4
    # A repetition of b's first sentence and the held-out sentences are left out.
    assert [s.split()[2] for s in found].count("one") == 2
    assert "this is two a" not in found and "See you, then." not in found and len(found) == 10
    monkeypatch.setattr(module, "SOURCES", ("x",))
    monkeypatch.setattr(
        module, "fetch_text", lambda source, folder: ("He saw me. She went out.", {})
    )
    both = sentences_to_read([PROSE], (3, 9), held_out, 1, tmp_path)
    assert sorted(both) == ["He saw me.", "She went out."]
    # The order of packaged prose must not change: synthesis of existing corpora resumes with it.
    expected = ["He saw me.", "She went out."]
    random.Random(1).shuffle(expected)
    assert list(sentences_to_read([PROSE], (3, 9), held_out, 1, tmp_path)) == expected
