from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from asr.batch.ledger import LEDGER, Entry, Ledger, digest, settings_key
from asr.decoding.decoder import Decoding


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    return path


def entry(recording: Path, **changes: str) -> Entry:
    return replace(Entry("a", "key", digest(recording), ("a.txt",)), **changes)


def test_an_entry_holds_for_its_sound_settings_and_results(recording: Path) -> None:
    folder = recording.parent
    (folder / "a.txt").write_text("go")
    ledger = Ledger(folder)
    ledger.forget(())
    ledger.add([entry(recording)])
    again = Ledger(folder)
    assert again.entries == {"a": entry(recording)}
    assert again.holds("a", "key", recording)
    assert not again.holds("a", "other key", recording)
    assert not again.holds("b", "key", recording)
    recording.write_bytes(b"other sound")
    assert not again.holds("a", "key", recording)
    recording.write_bytes(b"sound")
    assert again.holds("a", "key", recording)
    (folder / "a.txt").unlink()
    assert not again.holds("a", "key", recording)


def test_a_torn_line_does_not_count_and_does_not_harm(recording: Path) -> None:
    folder = recording.parent
    ledger = Ledger(folder)
    ledger.forget(())
    ledger.add([entry(recording), entry(recording, name="b")])
    whole = (folder / LEDGER).read_bytes()
    ledger.add([entry(recording, name="c")])
    data = (folder / LEDGER).read_bytes()
    for cut in range(len(whole), len(data) - 1):
        (folder / LEDGER).write_bytes(data[:cut])
        assert Ledger(folder).entries.keys() == {"a", "b"}
    (folder / LEDGER).write_bytes(data[: len(whole) + 20] + b"\n\xff\n[1]\n{}\nnull\n")
    torn = Ledger(folder)
    assert torn.entries.keys() == {"a", "b"}
    torn.forget({"b"})
    torn.add([entry(recording, name="d")])
    assert Ledger(folder).entries.keys() == {"a", "d"}


def test_the_last_entry_of_a_name_counts(recording: Path) -> None:
    ledger = Ledger(recording.parent)
    ledger.forget(())
    ledger.add([entry(recording)])
    ledger.add([entry(recording, key="new")])
    assert Ledger(recording.parent).entries["a"].key == "new"


def test_a_digest_of_what_is_no_file_is_empty(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    assert [digest(p) for p in (tmp_path, tmp_path / "no", tmp_path / "pipe", Path("\0"))] == [
        ""
    ] * 4


def test_the_key_follows_the_content_of_files_not_their_names(tmp_path: Path) -> None:
    a, b = tmp_path / "a.arpa", tmp_path / "b.arpa"
    a.write_text("one")
    b.write_text("one")

    def key(decoding: Decoding, **more: object) -> str:
        return settings_key({"decoding": decoding, **more})

    assert key(Decoding(4, a)) == key(Decoding(4, b))
    assert len({key(Decoding()), key(Decoding(4)), key(Decoding(4, a)), key(Decoding(4, a, 0.6)),
                key(Decoding(), channel=1)}) == 5  # fmt: skip
    before = key(Decoding(4, a))
    a.write_text("two")
    assert key(Decoding(4, a)) != before
