"""The commands `asr align` and `asr calibrate`, and the functions behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from praatio import textgrid

from asr.cli.align_files import align_files
from asr.data.manifest import Utterance, write_manifest
from asr.errors import AudioError, TextError
from asr.evaluation.calibration import MIN_WORDS, calibrate
from asr.networks.model_directory import CALIBRATION_FILE
from asr.recognizer import Recognizer
from asr.results import Transcript

RunAsr = Callable[..., tuple[int, str, str]]
WriteTone = Callable[..., Path]
TEXT = "go forward ten meters"


def test_a_known_text_has_times_inside_the_recording(tiny: Recognizer, goforward: Path) -> None:
    transcript = tiny.align(goforward, "Go  forward,\n10 meters!")
    assert transcript.text == "Go forward, 10 meters!"
    assert TEXT == "".join(t.text for t in transcript.tokens)
    assert [w.text for w in transcript.words] == ["Go", "forward,", "10", "meters!"]
    times = [t for word in transcript.words for t in (word.start, word.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= transcript.duration
    assert all(w.start < w.end and 0 <= w.confidence <= 1 for w in transcript.words)
    assert all(t * 16_000 == round(t * 16_000) for t in times)  # whole samples


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
