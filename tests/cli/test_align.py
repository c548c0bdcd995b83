"""The commands `asr align` and `asr calibrate`, and the functions behind them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from praatio import textgrid

from asr.cli.align_files import align_files
from asr.data.manifest import Utterance, write_manifest
from asr.decoding.confidence import LOW_CONFIDENCE
from asr.decoding.windowing import Windowing
from asr.errors import AudioError, TextError
from asr.evaluation.calibration import MIN_WORDS, calibrate
from asr.networks.model_directory import CALIBRATION_FILE
from asr.recognizer import Recognizer
from asr.results import Transcript

RunAsr = Callable[..., tuple[int, str, str]]
WriteTone = Callable[..., Path]
TEXT = "go forward ten meters"


def test_windows_of_a_long_recording_give_the_times_of_a_single_pass(goforward: Path) -> None:
    samples, rate = soundfile.read(goforward)
    noise = np.random.default_rng(0).normal(0, 3e-4, 40 * rate)
    # Pauses of 0 to 3 s: windows that overlap, windows behind a pause, and silence left out.
    pieces = [p for i in range(9) for p in (noise[: i % 4 * rate], samples)]
    recognizer = Recognizer.load("en-small")
    audio, text = np.concatenate(pieces), " ".join([TEXT] * 9)
    found = recognizer.align(audio, text)
    recognizer.windowing = Windowing(longest=1000.0)
    whole = recognizer.align(audio, text)
    assert [w.text for w in found.words] == [w.text for w in whole.words] == text.split()
    times, expected = (np.array([(w.start, w.end) for w in a.words]) for a in (found, whole))
    np.testing.assert_allclose(times, expected, atol=0.0401)  # two frames
    assert min(found.confidence, whole.confidence) > 2 * LOW_CONFIDENCE
    assert found.duration == whole.duration == len(audio) / rate


def test_the_network_sees_a_window_at_a_time(tiny: Recognizer, tone: WriteTone) -> None:
    recognizer, lengths = copy.copy(tiny), []

    class Watched:
        def logits(self, features: np.ndarray, frames: np.ndarray) -> np.ndarray:
            lengths.append(features.shape[0] * features.shape[1])
            return tiny.network.logits(features, frames)

    recognizer.network = Watched()
    recognizer.align(tone("long.wav", 200.0), "go " * 50)
    assert sum(lengths) > 19_000 and max(lengths) <= 6_000  # a batch has 60 s at most


def test_a_known_text_has_times_inside_the_recording(tiny: Recognizer, goforward: Path) -> None:
    transcript = tiny.align(goforward, "Go  forward,\n10 meters!")
    assert transcript.text == "Go forward, 10 meters!"
    assert "".join(t.text for t in transcript.tokens) == TEXT
    assert [w.text for w in transcript.words] == ["Go", "forward,", "10", "meters!"]
    times = [t for word in transcript.words for t in (word.start, word.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= transcript.duration
    assert all(w.start < w.end and 0 <= w.confidence <= 1 for w in transcript.words)
    assert all(t * 16_000 == round(t * 16_000) for t in times)  # whole samples


def test_written_words_have_the_time_of_all_that_is_spoken(
    tiny: Recognizer, goforward: Path
) -> None:
    spoken = tiny.align(goforward, "paid twenty three dollars fifty cents in may").words
    written = tiny.align(goforward, "Paid $23.50 — in May!")
    assert written.text == "Paid $23.50 — in May!"
    assert [w.text for w in written.words] == ["Paid", "$23.50 —", "in", "May!"]
    assert [(w.start, w.end) for w in written.words] == [
        (spoken[first].start, spoken[last].end) for first, last in ((0, 0), (1, 5), (6, 6), (7, 7))
    ]


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("txt", 'Go forward, "10" meters!\n'),
        ("srt", 'Go forward, "10" meters!\n'),
        ("vtt", 'Go forward, "10" meters!\n'),
        ("csv", ',"forward,",'),
        ("tsv", "\tmeters!\t"),
        ("ctm", ' "10" '),
        ("TextGrid", 'text = """10"""'),
        ("jsonl", r'"text": "\"10\""'),
        ("json", r'"text": "\"10\""'),
    ],
)
def test_every_format_has_the_words_as_they_are_written(
    model: str, goforward: Path, asr: RunAsr, format: str, expected: str
) -> None:
    text = 'Go forward, "10" meters!'
    code, shown, _ = asr("align", goforward, text, "-m", model, "--format", format)
    assert code == 0 and expected in shown


def test_a_wrong_text_and_silence_have_a_low_confidence(goforward: Path) -> None:
    recognizer = Recognizer.load("en-small")
    right = recognizer.align(goforward, TEXT)
    assert right.confidence > 2 * LOW_CONFIDENCE and right.warnings == ()
    silence = np.random.default_rng(0).normal(0, 1e-4, 48_000)
    for audio, text in (
        (goforward, "author of the trail"),
        (goforward, "go forward and then stop"),
        (np.zeros(48_000), TEXT),
        (silence, TEXT),
    ):
        wrong = recognizer.align(audio, text)
        (warning,) = wrong.warnings
        assert wrong.confidence < LOW_CONFIDENCE and f"confidence {wrong.confidence:.2f}" in warning
    assert all(w.confidence < 0.1 for w in recognizer.align(np.zeros(48_000), TEXT).words)


def test_the_warning_is_on_stderr_and_in_json(goforward: Path, asr: RunAsr) -> None:
    code, shown, err = asr("align", goforward, "the author", "-m", "en-small", "--format", "json")
    values = json.loads(shown)
    (warning,) = values["warnings"]
    assert code == 0 and f"warning: {warning}\n" in err and "goforward.wav" in warning
    assert 0 <= values["confidence"] < LOW_CONFIDENCE
    assert [0 <= w["confidence"] <= 1 for w in values["words"]] == [True, True]
    code, shown, err = asr("align", goforward, TEXT, "-m", "en-small", "--format", "jsonl")
    assert code == 0 and "warning" not in shown + err
    assert json.loads(shown)["confidence"] > LOW_CONFIDENCE


def test_warnings_about_the_recording_are_in_the_alignment(
    tiny: Recognizer, goforward: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    samples, rate = soundfile.read(goforward)
    path = tmp_path / "inverted.wav"
    soundfile.write(path, np.stack([samples, -samples], axis=1), rate)
    utterance = Utterance(TEXT, 1.0, path)
    for audio, expected in ((path, 1), (utterance, 2)):
        for result in (tiny.align(audio, "go"), tiny.transcribe(audio)):
            found = [w for w in result.warnings if "does not fit" not in w]
            assert len(found) == expected and "inverted.wav: the channels cancel" in found[0]
    assert "inverted.wav: only the first 1.00 s" in found[1]
    assert not recwarn.list


@pytest.fixture
def talk(goforward: Path, tmp_path: Path) -> Path:
    """A manifest of two segments of a long recording; each is "go forward ten meters"."""
    samples, rate = soundfile.read(goforward)
    quiet = np.random.default_rng(0).normal(0, 1e-3, rate)
    path = tmp_path / "talk.flac"
    soundfile.write(path, np.concatenate([quiet, samples, quiet, samples, quiet]), rate)
    length = len(samples) / rate
    manifest = tmp_path / "talk.json"
    offsets = (1.0, 2.0 + length)
    lines = [
        {"audio_filepath": "talk.flac", "offset": o, "duration": length, "text": TEXT}
        for o in offsets
    ]
    manifest.write_text("\n".join(json.dumps(line) for line in lines))
    return manifest


def test_segments_are_transcribed_and_aligned_as_recordings_of_their_own(
    goforward: Path, talk: Path, tmp_path: Path, asr: RunAsr
) -> None:
    recognizer = Recognizer.load("en-small")
    alone = {"transcribe": recognizer.transcribe(goforward)}
    alone["align"] = recognizer.align(goforward, TEXT)
    for command, expected in alone.items():
        code, shown, _ = asr(command, talk, "-m", "en-small", "--format", "jsonl")
        assert code == 0
        for line, offset in zip(shown.splitlines(), (1.0, 2.0 + expected.duration), strict=True):
            values = json.loads(line)
            assert (values["text"], values["offset"]) == (expected.text, round(offset, 3))
            assert values["duration"] == round(expected.duration, 3)
            for word, own in zip(values["words"], expected.words, strict=True):
                # The 16-bit samples of the FLAC file are the same; only its times are shifted.
                assert word["start"] == pytest.approx(own.start + offset, abs=2e-3)
                assert word["end"] == pytest.approx(own.end + offset, abs=2e-3)
        out = tmp_path / command
        code, _, err = asr(command, talk, "-m", "en-small", "--format", "txt", "--out", f"{out}/")
        assert code == 0 and "0 failed" in err
        written = {p.name: p.read_text() for p in out.glob("talk*")}
        names = ["talk@1000-3786ms.txt", "talk@4786-7572ms.txt"]
        assert written == dict.fromkeys(names, f"{expected.text}\n")
    code, shown, _ = asr("evaluate", "en-small", talk, "--json")
    assert code == 0 and json.loads(shown)["wer"] == 0.75


def test_lines_in_another_language_or_with_another_channel_fail_by_name(
    model: str, goforward: Path, tmp_path: Path, asr: RunAsr
) -> None:
    manifest = tmp_path / "m.jsonl"
    utterances = [
        Utterance(TEXT, 2.8, goforward, language="de"),
        Utterance(TEXT, 2.8, goforward, language="en-GB", channel=0),
        Utterance(TEXT, 2.8, goforward, channel=1),
    ]
    write_manifest(manifest, utterances)
    for command in ("transcribe", "align"):
        code, shown, err = asr(command, manifest, "-m", model, "--format", "jsonl")
        assert code == 1
        assert [json.loads(line)["channel"] for line in shown.splitlines()] == [0]
        assert re.search(r"goforward\.wav: lang 'de' .*'en'", err)
        assert re.search(r"goforward\.wav: no channel 1", err)
    code, shown, err = asr("align", manifest, "-m", model, "--format", "txt", "--channel", "0")
    assert shown == f"{TEXT}\n" and re.search(r"channel 1 in the manifest, but channel 0", err)


@pytest.mark.parametrize("name", ["said.TXT", "said.md", "said.Text"])
def test_text_files_of_any_suffix_are_read(
    model: str, goforward: Path, tmp_path: Path, asr: RunAsr, name: str
) -> None:
    arguments = ("align", goforward, tmp_path / name, "-m", model, "--format", "txt")
    code, shown, err = asr(*arguments)
    assert (code, shown) == (1, "") and f"{name}: cannot be read" in err
    (tmp_path / name).write_bytes(b"\xef\xbb\xbfGo forward\n")
    assert asr(*arguments)[:2] == (0, "Go forward\n")


def test_the_recording_and_the_reason_are_named_if_alignment_is_impossible(
    tiny: Recognizer, goforward: Path
) -> None:
    with pytest.raises(TextError, match=r"goforward\.wav: .*300 .*599 .*139"):
        tiny.align(goforward, "a" * 300)
    with pytest.raises(TextError, match=r"goforward\.wav: .*'ж'"):
        tiny.align(goforward, "go ж")
    with pytest.raises(TextError, match=r"samples: .*empty"):
        tiny.align(np.zeros(16_000), " ...")
    with pytest.raises(AudioError, match=r"gone\.wav"):
        tiny.align("gone.wav", "go")


def test_transcripts_have_words(tiny: Recognizer, goforward: Path) -> None:
    transcript = tiny.transcribe(goforward)
    assert isinstance(transcript, Transcript)
    assert [w.text for w in transcript.words] == transcript.text.split() != []
    times = [t for word in transcript.words for t in (word.start, word.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= transcript.duration


def test_one_recording_to_a_file_a_picture_and_stdout(
    model: str, goforward: Path, tmp_path: Path, asr: RunAsr
) -> None:
    text = tmp_path / "said.txt"
    text.write_text(f"{TEXT}\n")
    picture, out = tmp_path / "p.png", tmp_path / "x.TextGrid"
    code, shown, _ = asr("align", goforward, text, "-m", model, "--plot", picture, "--out", out)
    assert (code, shown) == (0, "")
    words = textgrid.openTextgrid(str(out), False).getTier("words").entries
    assert [w.label for w in words] == TEXT.split()
    assert picture.read_bytes()[:4] == b"\x89PNG"
    code, shown, _ = asr("align", goforward, TEXT, "-m", model, "--format", "ctm")
    assert code == 0
    rows = [line.split() for line in shown.splitlines()]
    assert [(r[0], r[4]) for r in rows] == [("goforward", w) for w in TEXT.split()]
    assert [float(r[2]) for r in rows] == [round(w.start, 3) for w in words]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["WAV", "go ж"], r"goforward\.wav: .*'ж' \(U\+0436\)"),
        (["WAV", "gone.txt"], r"gone\.txt: "),
        (["WAV"], r"goforward\.wav: .*text"),
        (["gone.wav", "go"], r"gone\.wav: "),
        (["WAV", "go", "--format", "doc"], "--format doc: .*TextGrid"),
        (["WAV", "go", "--lines", "2"], "--format TextGrid .*srt"),
        (["WAV", "go", "--format", "srt", "--lines", "0"], "--lines .*0"),
        (["M", "go"], r"m\.jsonl: .*text"),
        (["M", "--plot", "x.png"], r"m\.jsonl: --plot"),
        (["M"], "--format TextGrid .*--out DIR"),
    ],
)
def test_wrong_arguments_are_named_and_end_with_status_1(
    model: str, goforward: Path, tmp_path: Path, asr: RunAsr, arguments: list[str], message: str
) -> None:
    write_manifest(tmp_path / "m.jsonl", [Utterance(TEXT, 2.8, goforward)] * 2)
    values = {"WAV": goforward, "M": tmp_path / "m.jsonl"}
    code, out, err = asr("align", *(values.get(a, a) for a in arguments), "-m", model)
    assert (code, out) == (1, "")
    assert re.search(message, err) and "Traceback" not in err


def test_results_are_printed_before_a_picture_fails(
    model: str, goforward: Path, tmp_path: Path, asr: RunAsr
) -> None:
    manifest, picture = tmp_path / "m.jsonl", tmp_path / "m.jsonl" / "x.png"
    write_manifest(manifest, [Utterance(TEXT, 2.8, goforward)])
    for arguments, result in (
        (("align", goforward, TEXT, "-m", model, "--format", "txt"), f"{TEXT}\n"),
        (("evaluate", model, manifest), "WER "),
    ):
        code, out, err = asr(*arguments, "--plot", picture)
        assert code == 1 and out.startswith(result)
        assert err.splitlines()[-1].startswith(f"error: {picture}: ")


def test_a_manifest_skips_recordings_that_fail(
    model: str, goforward: Path, tone: WriteTone, tmp_path: Path, asr: RunAsr
) -> None:
    good, twin = tone("in/a/x.wav"), tone("in/a/x.flac")
    manifest = tmp_path / "m.jsonl"
    utterances = [
        Utterance("go", 1.0, good),
        Utterance("x" * 99, 1.0, tone("in/long.wav")),
        Utterance("ж", 1.0, tone("in/odd.wav")),
        Utterance("go", 1.0, tmp_path / "in" / "gone.wav"),
        Utterance("on", 1.0, twin),
        Utterance("ten", 1.0, tone("in/b/y.wav")),
    ]
    write_manifest(manifest, utterances)
    out = tmp_path / "out"
    code, _, err = asr("align", manifest, "-m", model, "--out", out)
    assert code == 1 and "6 recordings, 3 failed" in err
    assert all(f"{name}.wav" in err for name in ("long", "odd", "gone"))
    written = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert written == ["a/x.flac.TextGrid", "a/x.wav.TextGrid", "b/y.TextGrid"]
    code, shown, err = asr("align", manifest, "-m", model, "--format", "jsonl")
    assert code == 1
    assert [json.loads(line)["text"] for line in shown.splitlines()] == ["go", "on", "ten"]


def test_features_without_audio_are_aligned(model: str, goforward: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    features = Utterance(TEXT, 2.78, feature_filepath=goforward.with_suffix(".mfc"))
    write_manifest(manifest, [features])
    assert align_files(str(manifest), None, model, "srt", out=tmp_path / "o")
    assert "go forward" in (tmp_path / "o" / "goforward.srt").read_text()


def test_calibration_is_used_until_the_weights_change(
    tiny: Recognizer, goforward: Path, tmp_path: Path, asr: RunAsr
) -> None:
    folder = tmp_path / "model"
    tiny.save(folder, "# tiny\n")
    before = Recognizer.load(folder).transcribe(goforward)
    count = MIN_WORDS // len(before.words) + 1
    said = " ".join([before.words[0].text, *["x"] * (len(before.words) - 1)])
    manifest = tmp_path / "dev.jsonl"
    write_manifest(manifest, [Utterance(said, 2.8, goforward)] * count)
    code, out, _ = asr("evaluate", folder, manifest, "--json")
    assert code == 0 and json.loads(out)["ece"] is None

    code, out, _ = asr("calibrate", folder, manifest, manifest)
    words = 2 * count * len(before.words)
    assert code == 0 and out.startswith(f"{words} words; expected calibration error ")
    stored = json.loads((folder / CALIBRATION_FILE).read_text())
    assert stored["plain"]["words"] == words and stored["lm"] is None
    assert list(stored["plain"]["manifests"]) == [str(manifest)]

    picture = tmp_path / "r.png"
    code, out, _ = asr("evaluate", folder, manifest, "--json", "--plot", picture)
    assert code == 0 and json.loads(out)["ece"] < stored["plain"]["ece_before"]
    assert picture.read_bytes()[:4] == b"\x89PNG"
    loaded = Recognizer.load(folder, runtime="tensorflow")
    after = loaded.transcribe(goforward)
    share = sum(w.confidence for w in after.words) / len(after.words)
    assert share == pytest.approx(1 / len(after.words), abs=0.05)
    assert [w.text for w in after.words] == [w.text for w in before.words]
    loaded.save(folder, "# other\n")
    assert Recognizer.load(folder).curve is None


def test_calibration_skips_failures_and_needs_enough_words(
    tiny: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    tiny.save(folder, "# tiny\n")
    manifest = tmp_path / "dev.jsonl"
    lost = Utterance("x", 1.0, tmp_path / "lost.wav")
    write_manifest(manifest, [Utterance(TEXT, 2.8, goforward), lost])
    with pytest.raises(TextError, match=str(MIN_WORDS)):
        calibrate(str(folder), [manifest])
    assert not (folder / CALIBRATION_FILE).exists()
    write_manifest(manifest, [lost, *[Utterance(TEXT, 2.8, goforward)] * MIN_WORDS])
    _, failures = calibrate(str(folder), [manifest])
    assert ["lost.wav" in f.error for f in failures] == [True]
    assert (folder / CALIBRATION_FILE).exists()
