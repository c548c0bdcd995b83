"""The record of finished recordings."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from asr.batch.ledger import LEDGER, Ledger, LedgerEntry, digest, settings_key
from asr.decoding.decoding_options import Decoding


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    return path


def entry(recording: Path, **changes: str) -> LedgerEntry:
    return replace(LedgerEntry("a", "key", digest(recording), ("a.txt",)), **changes)


def test_an_entry_counts_for_its_audio_settings_and_results_only(recording: Path) -> None:
    folder = recording.parent
    (folder / "a.txt").write_text("go")
    ledger = Ledger(folder)
    ledger.forget(())
    ledger.add([entry(recording)])
    again = Ledger(folder)
    assert again.entries == {"a": entry(recording)}
    assert again.is_complete("a", "key", recording)
    assert not again.is_complete("a", "other key", recording)
    assert not again.is_complete("b", "key", recording)
    recording.write_bytes(b"other sound")
    assert not again.is_complete("a", "key", recording)
    recording.write_bytes(b"sound")
    assert again.is_complete("a", "key", recording)
    (folder / "a.txt").unlink()
    assert not again.is_complete("a", "key", recording)


def test_torn_and_foreign_lines_are_skipped(recording: Path) -> None:
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


def test_the_digest_is_empty_without_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "no", tmp_path / "pipe", Path("\0")):
        assert digest(path) == ""


def test_the_key_follows_the_content_of_files_not_their_names(tmp_path: Path) -> None:
    a, b = tmp_path / "a.arpa", tmp_path / "b.arpa"
    a.write_text("one")
    b.write_text("one")

    def key(decoding: Decoding, **more: object) -> str:
        return settings_key({"decoding": decoding, **more})

    assert key(Decoding(4, a)) == key(Decoding(4, b))
    keys = {
        key(Decoding()),
        key(Decoding(4)),
        key(Decoding(4, a)),
        key(Decoding(4, a, 0.6)),
        key(Decoding(), channel=1),
    }
    assert len(keys) == 5
    before = key(Decoding(4, a))
    a.write_text("two")
    assert key(Decoding(4, a)) != before
