"""`asr align`, `asr calibrate` and what they are made of, as a user meets them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from praatio import textgrid

from asr.cli.align import align_files
from asr.cli import app
from asr.data.manifest import Utterance, write_manifest
from asr.errors import AudioError, TextError
from asr.evaluation.calibration import MIN_WORDS, calibrate
from asr.networks.model_directory import CALIBRATION_FILE
from asr.recognizer import Recognizer
from asr.results import Transcript

TEXT = "go forward ten meters"


@pytest.fixture(scope="module")
def model(tiny: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("align") / "tiny"
    tiny.save(folder, "# tiny\n")
    return str(folder)


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["asr", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        app.main()
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_a_known_text_has_times_inside_the_recording(tiny: Recognizer, goforward: Path) -> None:
    transcript = tiny.align(goforward, "Go forward, 10 meters!")
    assert transcript.text == TEXT == "".join(t.text for t in transcript.tokens)
    assert [w.text for w in transcript.words] == TEXT.split()
    times = [t for word in transcript.words for t in (word.start, word.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= transcript.duration
    assert all(w.start < w.end and 0 <= w.confidence <= 1 for w in transcript.words)
    assert all(t * 16_000 == round(t * 16_000) for t in times)  # whole samples


def test_what_cannot_be_aligned_is_named(tiny: Recognizer, goforward: Path) -> None:
    with pytest.raises(TextError, match=r"goforward\.wav: the text is longer than the recording "
                       r"can hold: 300 labels need 599 frames, the audio has 139"):  # fmt: skip
        tiny.align(goforward, "a" * 300)
    with pytest.raises(TextError, match=r"goforward\.wav: text: characters outside .* 'ж'"):
        tiny.align(goforward, "go ж")
    with pytest.raises(TextError, match="samples: the text to align is empty"):
        tiny.align(np.zeros(16_000), " ...")
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        tiny.align("gone.wav", "go")


def test_transcripts_have_words(tiny: Recognizer, goforward: Path) -> None:
    transcript = tiny.transcribe(goforward)
    assert isinstance(transcript, Transcript)
    assert [w.text for w in transcript.words] == transcript.text.split() != []
    times = [t for word in transcript.words for t in (word.start, word.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= transcript.duration


def test_one_recording_to_every_place(  # type: ignore[no-untyped-def]
    model: str, goforward: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    text = tmp_path / "said.txt"
    text.write_text(f"{TEXT}\n")
    picture, out = tmp_path / "p.png", tmp_path / "x.TextGrid"
    code, shown, _ = run(capsys, monkeypatch, "align", goforward, text, "-m", model,
                           "--plot", picture, "--out", out)  # fmt: skip
    assert (code, shown) == (0, "")
    words = textgrid.openTextgrid(str(out), False).getTier("words").entries
    assert [w.label for w in words] == TEXT.split()
    assert picture.read_bytes()[:4] == b"\x89PNG"
    code, shown, _ = run(
        capsys, monkeypatch, "align", goforward, TEXT, "-m", model, "--format", "ctm"
    )
    assert code == 0
    rows = [line.split() for line in shown.splitlines()]
    assert [(r[0], r[4]) for r in rows] == [("goforward", w) for w in TEXT.split()]
    assert [float(r[2]) for r in rows] == [round(w.start, 3) for w in words]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["WAV", "go ж"], r"goforward.wav: text: characters outside the alphabet: 'ж' (U+0436)"),
        (["WAV", "gone.txt"], "gone.txt: cannot be read"),
        (["WAV"], "say what the recording says"),
        (["gone.wav", "go"], "gone.wav: no such file"),
        (["WAV", "go", "--format", "doc"], "--format doc: not known"),
        (["WAV", "go", "--lines", "2"], "--format TextGrid has no lines to set"),
        (["WAV", "go", "--format", "srt", "--lines", "0"], "--lines must be 1 or more"),
        (["M", "go"], "a manifest has its own texts: a text is for one recording"),
        (["M", "--plot", "x.png"], "a manifest has its own texts: --plot is for one"),
        (["M"], "--format TextGrid holds one recording a file: write a file for each with --out"),
    ],
)
def test_mistakes(  # type: ignore[no-untyped-def]
    model: str, goforward: Path, tmp_path: Path, capsys, monkeypatch, arguments, message: str
) -> None:
    write_manifest(tmp_path / "m.jsonl", [Utterance(TEXT, 2.8, goforward)] * 2)
    values = {"WAV": goforward, "M": tmp_path / "m.jsonl"}
    code, out, err = run(capsys, monkeypatch, "align", *(values.get(a, a) for a in arguments),
                         "-m", model)  # fmt: skip
    assert (code, out) == (1, "") and message in err and "Traceback" not in err


def test_a_picture_that_cannot_be_written_costs_no_result(  # type: ignore[no-untyped-def]
    model: str, goforward: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    manifest, picture = tmp_path / "m.jsonl", tmp_path / "m.jsonl" / "x.png"
    write_manifest(manifest, [Utterance(TEXT, 2.8, goforward)])
    for arguments, result in (
        (("align", goforward, TEXT, "-m", model, "--format", "txt"), f"{TEXT}\n"),
        (("evaluate", model, manifest), "WER "),
    ):
        code, out, err = run(capsys, monkeypatch, *arguments, "--plot", picture)
        assert code == 1 and out.startswith(result)
        assert err.splitlines()[-1].startswith(f"error: {picture}: ")


def test_a_manifest_fills_a_folder_past_what_is_bad(  # type: ignore[no-untyped-def]
    model: str, goforward: Path, tone, tmp_path: Path, capsys, monkeypatch
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
    code, _, err = run(capsys, monkeypatch, "align", manifest, "-m", model, "--out", out)
    assert code == 1 and "6 recordings, 3 failed" in err
    assert all(f"{name}.wav" in err for name in ("long", "odd", "gone"))
    written = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert written == ["a/x.flac.TextGrid", "a/x.wav.TextGrid", "b/y.TextGrid"]
    code, shown, err = run(capsys, monkeypatch, "align", manifest, "-m", model, "--format", "jsonl")
    assert code == 1
    assert [json.loads(line)["text"] for line in shown.splitlines()] == ["go", "on", "ten"]


def test_features_without_audio_are_aligned(model: str, goforward: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    features = Utterance(TEXT, 2.78, feature_filepath=goforward.with_suffix(".mfc"))
    write_manifest(manifest, [features])
    assert align_files(str(manifest), None, model, "srt", out=tmp_path / "o")
    assert "go forward" in (tmp_path / "o" / "goforward.srt").read_text()


def test_calibration_is_stored_used_and_forgotten_with_its_weights(  # type: ignore[no-untyped-def]
    tiny: Recognizer, goforward: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    folder = tmp_path / "model"
    tiny.save(folder, "# tiny\n")
    before = Recognizer.load(folder).transcribe(goforward)
    count = MIN_WORDS // len(before.words) + 1
    said = " ".join([before.words[0].text, *["x"] * (len(before.words) - 1)])
    manifest = tmp_path / "dev.jsonl"
    write_manifest(manifest, [Utterance(said, 2.8, goforward)] * count)
    code, out, _ = run(capsys, monkeypatch, "evaluate", folder, manifest, "--json")
    assert code == 0 and json.loads(out)["ece"] is None

    code, out, _ = run(capsys, monkeypatch, "calibrate", folder, manifest, manifest)
    words = 2 * count * len(before.words)
    assert code == 0 and out.startswith(f"{words} words; expected calibration error ")
    stored = json.loads((folder / CALIBRATION_FILE).read_text())
    assert stored["plain"]["words"] == words and stored["lm"] is None
    assert list(stored["plain"]["manifests"]) == [str(manifest)]

    picture = tmp_path / "r.png"
    code, out, _ = run(
        capsys, monkeypatch, "evaluate", folder, manifest, "--json", "--plot", picture
    )
    assert code == 0 and json.loads(out)["ece"] < stored["plain"]["ece_before"]
    assert picture.read_bytes()[:4] == b"\x89PNG"
    loaded = Recognizer.load(folder, runtime="tensorflow")
    after = loaded.transcribe(goforward)
    share = sum(w.confidence for w in after.words) / len(after.words)
    assert share == pytest.approx(1 / len(after.words), abs=0.05)
    assert [w.text for w in after.words] == [w.text for w in before.words]
    loaded.save(folder, "# other\n")
    assert Recognizer.load(folder).curve is None


def test_calibration_goes_on_past_what_is_bad_and_needs_words(  # type: ignore[no-untyped-def]
    tiny: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    tiny.save(folder, "# tiny\n")
    manifest = tmp_path / "dev.jsonl"
    lost = Utterance("x", 1.0, tmp_path / "lost.wav")
    write_manifest(manifest, [Utterance(TEXT, 2.8, goforward), lost])
    with pytest.raises(TextError, match=rf"words heard, {MIN_WORDS} needed"):
        calibrate(str(folder), [manifest])
    assert not (folder / CALIBRATION_FILE).exists()
    write_manifest(manifest, [lost, *[Utterance(TEXT, 2.8, goforward)] * MIN_WORDS])
    _, failures = calibrate(str(folder), [manifest])
    assert ["lost.wav" in f.error for f in failures] == [True]
    assert (folder / CALIBRATION_FILE).exists()
