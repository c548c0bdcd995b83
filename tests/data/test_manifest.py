from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asr.audio.reading import AudioInfo, measure
from asr.data import manifest_check
from asr.data.manifest import Utterance, count_by_teacher, read_manifest, write_manifest
from asr.data.manifest_check import check_manifests, read_manifests, tokenizer_for
from asr.data.packs.pack_index import read_utterances
from asr.errors import ManifestError
from asr.text.tokenizers import Tokenizer, TokenizerConfig


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    text=st.text(min_size=1),
    duration=st.integers(0, 10**6).map(lambda n: n / 1000),
    speaker=st.none() | st.text(min_size=1),
)
@example(text="a\u2028b\x85c\r\n", duration=1.0, speaker=None)  # line ends for str.splitlines
def test_written_manifests_read_back(
    tmp_path: Path, text: str, duration: float, speaker: str | None
) -> None:
    utterance = Utterance(text, duration, tmp_path / "a" / "x.wav", speaker, tmp_path / "x.mfc")
    path = tmp_path / "lists" / "x.jsonl"
    write_manifest(path, [utterance])
    line = json.loads(path.read_text(encoding="utf-8"))
    assert line["audio_filepath"] == "../a/x.wav" and line["feature_filepath"] == "../x.mfc"
    (read,) = read_manifest(path)
    assert (read.text, read.duration, read.speaker) == (text, duration, speaker)
    assert read.audio_filepath and read.audio_filepath.resolve() == utterance.audio_filepath


VALID = {"audio_filepath": "a", "duration": 1, "text": "a"}


def without(key: str) -> str:
    return json.dumps({k: v for k, v in VALID.items() if k != key})


def with_value(key: str, value: object) -> str:
    return json.dumps({**VALID, key: value})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[1]", "list"),
        (without("text"), "text"),
        (without("audio_filepath"), "audio_filepath"),
        (without("duration"), "duration"),
        (with_value("text", 3), "text"),
        (with_value("text", None), "text"),
        (with_value("speaker", 3), "speaker"),
        (with_value("audio_filepath", ""), "audio_filepath"),
        (with_value("audio_filepath", "a\0"), "audio_filepath"),
        (with_value("feature_filepath", ["a"]), "feature_filepath"),
        (with_value("duration", "1"), "duration"),
        (with_value("duration", True), "duration"),
        (with_value("duration", -1), "duration"),
        (with_value("duration", float("nan")), "duration"),
        (with_value("duration", float("inf")), "duration"),
        (with_value("duration", 10**400), "duration"),
        (with_value("offset", -1), "offset"),
        (with_value("offset", "1"), "offset"),
        (with_value("channel", -1), "channel"),
        (with_value("channel", "left"), "channel"),
        (with_value("channel_selector", [0, 1]), "channel_selector"),
        (with_value("target_channel", 1), "target_channel"),
        (with_value("taskname", "ast"), "taskname"),
        (with_value("task", "translate"), "task"),
        (json.dumps({**VALID, "source_lang": "de", "target_lang": "en"}), "target_lang"),
        (json.dumps({**VALID, "channel": 0, "channel_selector": 1}), "channel_selector"),
        (json.dumps({"feature_filepath": "a", "duration": 1, "text": "a", "offset": 2}), "offset"),
    ],
)
def test_errors_name_file_line_and_key(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(VALID) + "\n\n" + line + "\n")
    with pytest.raises(ManifestError, match=rf"x\.jsonl, line 3: .*\b{problem}\b"):
        read_manifest(path)


def test_unknown_keys_and_null_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({**VALID, "pnc": "yes", "speaker": None, "feature_filepath": None}))
    assert read_manifest(path) == [Utterance("a", 1.0, tmp_path / "a")]


def test_segments_channels_and_languages_are_read_and_written(tmp_path: Path) -> None:
    keys = {"offset": 3.4, "channel": 1, "lang": "en-US"}
    utterance = Utterance("a", 1.5, tmp_path / "talk.wav", offset=3.4, channel=1, language="en-US")
    path = tmp_path / "x.jsonl"
    write_manifest(path, [utterance])
    line = {"audio_filepath": "talk.wav", "duration": 1.5, "text": "a", **keys}
    assert json.loads(path.read_text()) == line
    assert read_manifest(path) == [utterance]
    assert utterance.name == f"{tmp_path}/talk.wav, 3.40 s to 4.90 s"
    assert utterance.result_path == tmp_path / "talk@3400-4900ms.ch1.wav"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"offset": None, "channel": None, "lang": None}, {}),
        ({"offset": 0}, {"offset": 0.0}),
        ({"channel_selector": 1}, {"channel": 1}),
        ({"channel_selector": "average"}, {}),
        ({"source_lang": "en", "target_lang": "en_us", "taskname": "asr"}, {"language": "en"}),
        ({"language": "English"}, {"language": "English"}),
        ({"pnc": "yes", "orig_sample_rate": 8000, "pred_text": "b", "snr": 3, "_skipme": 0}, {}),
    ],
)
def test_nemo_keys_with_a_meaning_are_obeyed(
    tmp_path: Path, keys: dict[str, object], expected: dict[str, object]
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({**VALID, **keys}))
    assert read_manifest(path) == [Utterance("a", 1.0, tmp_path / "a", **expected)]  # type: ignore[arg-type]


def test_lines_that_nemo_skips_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f"{with_value('_skipme', True)}\n{json.dumps({**VALID, 'text': 'b'})}\n")
    assert [u.text for u in read_manifest(path)] == ["b"]


def test_check_looks_at_segments(tmp_path: Path, tone) -> None:  # type: ignore[no-untyped-def]
    talk = tone("talk.wav", 3.0)
    path = tmp_path / "x.jsonl"
    segments = [(0.0, 1.0), (1.0, 2.0), (1.0, 2.0), (2.5, 1.0)]
    write_manifest(path, [Utterance("go", d, talk, offset=o) for o, d in segments])
    tokenizer = Tokenizer(TokenizerConfig())
    report = check_manifests(
        read_manifests([path]), tokenizer.encode, lambda seconds: int(50 * seconds)
    )
    assert [(f.where, f.message) for f in report.findings] == [
        (f"{talk}, 2.50 s to 3.50 s", "the segment ends at 3.50 s, the recording at 3.00 s"),
        (str(path), f"{talk}, 1.00 s to 3.00 s occurs 2 times"),
    ]


def test_check_reports_a_recording_once_and_measures_it_once(
    tmp_path: Path, tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    talk, other = tone("talk.wav", 3.0), tone("other.wav", 1.0)
    data = talk.read_bytes()
    talk.write_bytes(data[:40] + (32_000).to_bytes(4, "little") + data[44:])  # 1 s of 3 s
    (tmp_path / "broken.wav").write_text("no audio")
    lines = [Utterance("go", 1.0, talk, offset=float(i)) for i in range(3)]
    lines += [Utterance("go", 0.1, tmp_path / "broken.wav", offset=float(i)) for i in range(3)]
    lines.insert(2, Utterance("go", 1.0, other))  # segments need not follow each other
    write_manifest(tmp_path / "train.jsonl", lines)
    write_manifest(tmp_path / "dev.jsonl", [Utterance("no", 0.5, talk, offset=0.2)])
    count: Counter[str] = Counter()

    def counting(path: Path) -> AudioInfo:
        count[path.name] += 1
        return measure(path)

    monkeypatch.setattr(manifest_check, "measure", counting)
    reading = lambda path: count.update([path.name]) or read_utterances(path)  # noqa: E731
    monkeypatch.setattr(manifest_check, "read_utterances", reading)
    paths = [tmp_path / f"{name}.jsonl" for name in ("train", "dev", "train")]
    manifests = read_manifests(paths)
    tokenizer = tokenizer_for(manifests)
    report = check_manifests(manifests, tokenizer.encode, lambda seconds: int(50 * seconds))
    assert set(count.values()) == {1} and len(count) == 5
    found = [(f.level, Path(f.where).name, f.message[:20]) for f in report.findings[:2]]
    assert found == [
        ("warning", "talk.wav", "wrong length: the he"),
        ("error", "broken.wav", "not readable as audi"),
    ]
    assert [f.message.split(",")[0] for f in report.findings[2:]] == ["1 file(s) in both"]


def test_paths_that_are_not_utf8_round_trip(tmp_path: Path) -> None:
    utterance = Utterance("a", 1.0, tmp_path / "\udce9.wav")
    write_manifest(tmp_path / "x.jsonl", [utterance])
    assert read_manifest(tmp_path / "x.jsonl") == [utterance]


def test_an_utterance_without_files_has_no_path() -> None:
    with pytest.raises(ManifestError, match="audio_filepath"):
        _ = Utterance("go forward", 1.0).path


def test_byte_order_mark_and_carriage_returns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    line = b'{"audio_filepath": "a", "duration": 1, "text": "a", "speaker": null}'
    path.write_bytes(codecs.BOM_UTF8 + line + b"\r\n" + line)
    assert read_manifest(path) == 2 * [Utterance("a", 1.0, tmp_path / "a")]


def test_a_link_to_a_recording_is_not_resolved(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "store" / "0f3a")
    write_manifest(tmp_path / "x.jsonl", [Utterance("a", 1.0, tmp_path / "a.wav")])
    assert read_manifest(tmp_path / "x.jsonl")[0].path == tmp_path / "a.wav"


def test_missing_and_empty_manifests_are_errors(tmp_path: Path) -> None:
    with pytest.raises(
        ManifestError, match=r"x\.jsonl: cannot be read: No such file or directory$"
    ):
        read_manifest(tmp_path / "x.jsonl")
    (tmp_path / "x.jsonl").write_text("\n")
    with pytest.raises(ManifestError, match=r"x\.jsonl: has no utterances"):
        read_manifest(tmp_path / "x.jsonl")


def test_check_reports_errors_warnings_and_statistics(tmp_path: Path, tone) -> None:  # type: ignore[no-untyped-def]
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
    report = check_manifests(
        read_manifests(paths), tokenizer.encode, lambda seconds: int(seconds * 50)
    )
    statistics = report.statistics[paths[0]]
    assert (statistics.utterances, statistics.speakers, statistics.words) == (8, 2, 10)
    assert statistics.characters == sum(len(u.text) for u in train)
    assert statistics.hours == pytest.approx(13 / 3600)
    assert (statistics.shortest, statistics.median, statistics.longest) == (1.0, 1.0, 5.0)
    errors = [(Path(f.where).name, f.message) for f in report.findings if f.level == "error"]
    expected = [
        ("b.wav", "alphabet"),
        ("b.wav", "5.00 s"),
        ("broken.wav", "not readable"),
        ("c.wav", "90 labels"),
        ("missing.mfc", "missing"),
        ("missing.mfc", "empty"),
        ("missing.wav", "no such file"),
        ("train.jsonl", str(a.resolve())),
        ("train.jsonl", str(b.resolve())),
    ]
    assert len(errors) == len(expected)
    for name, part in expected:
        assert any(where == name and part in message for where, message in errors), (name, part)
    warnings = [f.message for f in report.findings if f.level == "warning"]
    shared = [w.split(" in both")[0] for w in warnings]
    assert shared == ["1 file(s)", "1 sentence(s)", "1 speaker(s)"]
    examples = [w.split("such as ")[1] for w in warnings]
    assert examples == [repr(str(a.resolve())), "'go forward'", "'anna'"]


def test_utterances_and_hours_are_counted_by_teacher() -> None:
    path = Path("x.wav")
    rows = [
        Utterance("a", 1800.0, path, teacher="whisper-base"),
        Utterance("b", 5.0, path),
        Utterance("c", 900.0, path, teacher="whisper-base"),
        Utterance("d", 3600.0, path, teacher="other"),
    ]
    assert count_by_teacher(rows) == {
        "whisper-base": {"utterances": 2, "hours": 0.75},
        "other": {"utterances": 1, "hours": 1.0},
    }
    assert count_by_teacher(rows[1:2]) == {}


def test_a_teacher_must_be_a_string(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"audio_filepath": "a", "duration": 1, "text": "a", "teacher": 3}')
    with pytest.raises(ManifestError, match=r"x\.jsonl, line 1: teacher: .*3"):
        read_manifest(path)
