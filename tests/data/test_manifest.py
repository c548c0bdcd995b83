from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asr.data.manifest import Utterance, read_manifest, taught, write_manifest
from asr.data.manifest_check import check_manifests
from asr.errors import ManifestError
from asr.text.tokenizers import Tokenizer, TokenizerConfig


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    text=st.text(min_size=1),
    duration=st.integers(0, 10**6).map(lambda n: n / 1000),
    speaker=st.none() | st.text(min_size=1),
)
@example(text="a\u2028b\x85c\r\n", duration=1.0, speaker=None)  # lines to splitlines, not to JSON
def test_round_trip(tmp_path: Path, text: str, duration: float, speaker: str | None) -> None:
    utterance = Utterance(text, duration, tmp_path / "a" / "x.wav", speaker, tmp_path / "x.mfc")
    path = tmp_path / "lists" / "x.jsonl"
    write_manifest(path, [utterance])
    line = json.loads(path.read_text(encoding="utf-8"))
    assert line["audio_filepath"] == "../a/x.wav" and line["feature_filepath"] == "../x.mfc"
    (read,) = read_manifest(path)
    assert (read.text, read.duration, read.speaker) == (text, duration, speaker)
    assert read.audio_filepath and read.audio_filepath.resolve() == utterance.audio_filepath


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "expected an object, found list"),
        ('{"audio_filepath": "a", "duration": 1}', "missing key text"),
        ('{"text": "a", "duration": 1}', "missing key audio_filepath"),
        ('{"text": "a", "audio_filepath": "a"}', "duration: expected seconds, found None"),
        ('{"text": "a", "audio_filepath": "a", "duration": NaN}', "duration: must be finite"),
        ('{"text": "a", "audio_filepath": "a\\u0000", "duration": 1}', "audio_filepath: a path"),
        (
            '{"text": "a", "audio_filepath": "a", "duration": 1' + "0" * 400 + "}",
            "duration: must be",
        ),
        ("[" * 100_000, "not JSON"),
        ('{"text": 3, "audio_filepath": "a", "duration": 1}', "text: expected a string, found 3"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "a", "audio_filepath": "a", "duration": 1}\n\n' + line + "\n")
    with pytest.raises(ManifestError, match=rf"x\.jsonl, line 3: {message}"):
        read_manifest(path)


def test_other_programs_manifests_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    line = b'{"audio_filepath": "a", "duration": 1, "text": "a", "speaker": null}'
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n" + line)
    assert read_manifest(path) == 2 * [Utterance("a", 1.0, tmp_path / "a")]


def test_a_linked_recording_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "store" / "0f3a")
    write_manifest(tmp_path / "x.jsonl", [Utterance("a", 1.0, tmp_path / "a.wav")])
    assert read_manifest(tmp_path / "x.jsonl")[0].path == tmp_path / "a.wav"


def test_unreadable_and_empty_manifests_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        ManifestError, match=r"x\.jsonl: cannot be read: No such file or directory$"
    ):
        read_manifest(tmp_path / "x.jsonl")
    (tmp_path / "x.jsonl").write_text("\n")
    with pytest.raises(ManifestError, match=r"x\.jsonl: has no utterances"):
        read_manifest(tmp_path / "x.jsonl")


def test_check_finds_what_would_spoil_a_training(tmp_path: Path, tone) -> None:  # type: ignore[no-untyped-def]
    a, b = tone("a.wav", 1.0), tone("b.wav", 2.0)
    (tmp_path / "broken.wav").write_text("no audio")
    train = [
        Utterance("go forward", 1.0, a, "anna"),
        Utterance("go forward", 1.0, a, "anna"),
        Utterance("жук", 2.0, b, "bea"),
        Utterance("go", 5.0, b),
        Utterance("x", 1.0, tmp_path / "broken.wav"),
        Utterance("x", 1.0, tmp_path / "missing.wav"),
        Utterance("?", 1.0, None, None, tmp_path / "missing.mfc"),
        Utterance("abc" * 30, 1.0, tone("c.wav", 1.0)),
    ]
    write_manifest(tmp_path / "train.jsonl", train)
    write_manifest(tmp_path / "test.jsonl", [Utterance("Go forward", 1.0, a, "anna")])
    paths = [tmp_path / "train.jsonl", tmp_path / "test.jsonl"]
    tokenizer = Tokenizer(TokenizerConfig())
    report = check_manifests(paths, tokenizer.encode, lambda seconds: int(seconds * 50))
    statistics = report.statistics[paths[0]]
    assert (statistics.utterances, statistics.speakers, statistics.words) == (8, 2, 10)
    assert statistics.characters == sum(len(u.text) for u in train)
    assert statistics.hours == pytest.approx(13 / 3600)
    assert (statistics.shortest, statistics.median, statistics.longest) == (1.0, 1.0, 5.0)
    errors = {(Path(f.where).name, f.message[:30]) for f in report.findings if f.level == "error"}
    assert errors == {
        ("train.jsonl", f"{a.resolve()} stands 2 times"[:30]),
        ("train.jsonl", f"{b.resolve()} stands 2 times"[:30]),
        ("b.wav", "characters outside the alphabe"),
        ("b.wav", "manifest says 5.00 s, its head"),
        ("broken.wav", "not readable as audio: Format "),
        ("missing.wav", "no such file"),
        ("missing.mfc", "feature file is missing or emp"),
        ("missing.mfc", "no text is left after normalis"),
        ("c.wav", "50 frames, its 90 labels need "),
    }
    warnings = [f.message for f in report.findings if f.level == "warning"]
    shared = [w.split(" in both")[0] for w in warnings]
    assert shared == ["1 file(s)", "1 sentence(s)", "1 speaker(s)"]
    examples = [w.split("such as ")[1] for w in warnings]
    assert examples == [repr(str(a.resolve())), "'go forward'", "'anna'"]


def test_labels_of_a_teacher_are_counted_apart() -> None:
    path = Path("x.wav")
    rows = [
        Utterance("a", 1800.0, path, teacher="whisper-base"),
        Utterance("b", 5.0, path),
        Utterance("c", 900.0, path, teacher="whisper-base"),
        Utterance("d", 3600.0, path, teacher="other"),
    ]
    assert taught(rows) == {
        "whisper-base": {"utterances": 2, "hours": 0.75},
        "other": {"utterances": 1, "hours": 1.0},
    }
    assert taught(rows[1:2]) == {}


def test_a_teacher_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"audio_filepath": "a", "duration": 1, "text": "a", "teacher": 3}')
    with pytest.raises(ManifestError, match="line 1: teacher: expected a string, found 3"):
        read_manifest(path)
