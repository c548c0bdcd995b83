"""Commands from their arguments to their output."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zoo

from asr.data.inputs import find_recordings
from asr.data.manifest import Utterance, write_manifest
from asr.recognizer import Recognizer

RunAsr = Callable[..., tuple[int, str, str]]
WriteTone = Callable[..., Path]
ROOT = Path(__file__).parents[2]


def test_unreadable_files_in_a_folder_are_named_and_skipped(
    asr: RunAsr, model: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    zoo.unusual(folder)
    bad = [name for name in zoo.bad(folder) if name not in ("missing.wav", "folder.wav")]
    (folder / "folder.wav").rmdir()
    code, out, err = asr("transcribe", folder, "-m", model, "--format", "jsonl")
    assert code == 1
    done = {Path(json.loads(line)["audio_filepath"]).name for line in out.splitlines()}
    assert done == set(zoo.unusual(folder))
    for name in bad:
        assert re.search(rf"failed: .*{re.escape(name)}: ", err), name
    assert f"{len(done) + len(bad)} recordings" in err and f"{len(bad)} failed" in err


def test_warnings_are_on_stderr_and_in_json(asr: RunAsr, model: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    zoo.wrong_headers(tmp_path / "in")
    code, out, err = asr("transcribe", tmp_path / "in" / "cut.wav", "-m", model, "--format", "json")
    (message,) = json.loads(out)["warnings"]
    assert code == 0 and "1.00 s" in message and "0.50 s" in message
    assert f"warning: {message}\n" in err
    code, out, err = asr(
        "transcribe", tmp_path / "in" / "list.wav", "-m", model, "--format", "json"
    )
    assert "warnings" not in json.loads(out) and "warning" not in err


def test_a_folder_reports_audio_that_nothing_can_open(
    asr: RunAsr, model: str, tmp_path: Path
) -> None:
    (tmp_path / "call.dss").write_bytes(b"\3dss" + bytes(2000))
    zoo.encode(tmp_path / "talk.m4a", zoo.speech(), zoo.RATE, "aac")
    code, out, err = asr("transcribe", tmp_path, "-m", model)
    assert code == 1 and out.count("\n") == 1
    assert "call.dss: not readable as audio" in err and "2 recordings" in err and "1 failed" in err


def test_one_file_prints_its_text_only(asr: RunAsr, model: str, goforward: Path) -> None:
    code, out, err = asr("transcribe", goforward, "-m", model)
    assert (code, out) == (0, Recognizer.load(model).transcribe(goforward).text + "\n")
    assert "recordings" not in err


def test_line_length_and_lines_of_subtitles(asr: RunAsr, model: str, goforward: Path) -> None:
    arguments = ("transcribe", goforward, "-m", model, "--format", "vtt", "--line-length", "5")
    code, out, _ = asr(*arguments, "--lines", "1")
    text = Recognizer.load(model).transcribe(goforward).text
    lines = [line for line in out.splitlines()[1:] if line and "-->" not in line]
    assert code == 0 and out.startswith("WEBVTT\n\n00:00:0")
    assert " ".join(lines) == text and all(len(x) <= 5 or " " not in x for x in lines)


def test_results_keep_the_order_and_the_given_names(
    asr: RunAsr,
    model: str,
    tone: WriteTone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long, short = tone("long.wav", 3.0), tone("short.wav", 0.5)
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, [Utterance("x", 3.0, long)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"short.wav\n\n")))
    out_file = tmp_path / "out" / "text.jsonl"
    code, out, _ = asr(
        "transcribe",
        "long.wav",
        "-",
        "m.jsonl",
        "*ort.wav",
        "-m",
        model,
        "--format",
        "jsonl",
        "--out",
        out_file,
    )
    assert (code, out) == (0, "")
    names = [json.loads(line)["audio_filepath"] for line in out_file.read_text().splitlines()]
    assert names == ["long.wav", "short.wav", "long.wav", "short.wav"]
    assert short.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transcribe", "nowhere.wav", "-m", "MODEL"], r"nowhere\.wav: "),
        (["transcribe", "*.nothing", "-m", "MODEL"], r"\*\.nothing: "),
        (["transcribe", "WAV", "-m", "en-huge"], "en-huge: .*en-small"),
        (["transcribe", "WAV", "-m", "MODEL", "--format", "doc"], "--format doc: .*jsonl"),
        (["transcribe", "WAV", "WAV", "-m", "MODEL", "--format", "srt"], "--format srt .*--out"),
        (["transcribe", "WAV", "-m", "MODEL", "--channel", "1"], r"goforward\.wav: .*channel 1"),
        (["transcribe", "WAV", "-m", "MODEL", "--out", "/dev/null/x"], "/dev/null"),
        (["evaluate", "MODEL", "nowhere.jsonl"], r"nowhere\.jsonl: "),
        (["train", "nowhere.yaml"], r"nowhere\.yaml: "),
        (["export", "en-huge", "out"], "en-huge: .*en-small"),
        (["data", "prepare", "tedlium", "--source", ".", "--out", "x"], "tedlium"),
        (["data", "check", "nowhere.jsonl"], r"nowhere\.jsonl: "),
        (["speak", "Go.", "--format", "flac"], "--format .*--out"),
        (["speak", "Go.", "--json", "--out", "-"], "--json .*--out"),
        (["lm", "train", "X", "--out", "Y", "--units", "8"], "--units: .*--kind rnn"),
        (["lm", "train", "X", "--out", "Y", "--kind", "rnn", "--order", "2"], "--order: .*ngram"),
        (["lm", "train", "X", "--out", "Y", "--kind", "rnn"], "--kind rnn: .*--dev"),
        (["lm", "train", "X", "--out", "Y", "--base", "Z", "--order", "2"], "--base: .*--order"),
        (["lm", "train", "X", "--out", "Y", "--base", "Z", "--kind", "rnn"], "--base: .*ngram"),
        (["lm", "evaluate", "X"], "--lm, --rnn-lm"),
    ],
)
def test_wrong_arguments_are_named_and_end_with_status_1(
    asr: RunAsr, model: str, goforward: Path, arguments: list[str], message: str
) -> None:
    values = {"MODEL": model, "WAV": str(goforward)}
    code, out, err = asr(*(values.get(a, a) for a in arguments))
    assert (code, out) == (1, "")
    assert re.search(message, err) and "Traceback" not in err


def test_evaluate_prints_json_or_text(
    asr: RunAsr, model: str, goforward: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, [Utterance("Go forward, ten meters!", 2.786, goforward)])
    code, out, _ = asr("evaluate", model, manifest, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["utterances"] == 1 and result["words"] == 4
    assert result["model"] == "tiny" and len(result["weights_sha256"]) == 64
    assert result["decoding"]["beam"] == 0 and "evaluate" in result["command"] and result["commit"]
    assert result["wer"] > 0 and result["cer"] > 0 and result["rtf"] > 0
    code, out, _ = asr("evaluate", model, manifest)
    assert f"WER {result['wer']:.2%}" in out and "REF: " in out


def test_a_language_model_is_trained_and_used(
    asr: RunAsr, model: str, goforward: Path, tmp_path: Path
) -> None:
    manifest, lm = tmp_path / "m.jsonl", tmp_path / "x.arpa.gz"
    write_manifest(manifest, [Utterance("Go forward, ten meters!", 2.786, goforward)])
    code, out, _ = asr("lm", "train", manifest, "--out", lm, "--order", "2")
    assert code == 0 and "4 words, 12 n-grams" in out
    weights = ("--beam", 4, "--alpha", 5, "--beta", 9)
    code, out, _ = asr("transcribe", goforward, "-m", model, "--lm", lm, *weights)
    assert code == 0 and set(out.split()) & {"go", "forward", "ten", "meters"}
    code, _, err = asr("transcribe", goforward, "-m", model, "--lm", lm, "--beam", 0)
    assert code == 1 and "--beam" in err
    code, out, _ = asr("tune", model, manifest, "--lm", lm, "--beam", "2")
    assert code == 0 and out.count("--alpha") == 5 and "%" in out
    assert not (tmp_path / "x.json").exists()
    write_manifest(manifest, [Utterance("Go forward, ten meters!", 2.786, goforward)] * 13)
    code, out, _ = asr("tune", model, manifest, "--lm", lm, "--beam", "2", "--save")
    assert code == 0 and f"saved: {tmp_path / 'x.json'}" in out
    assert json.loads((tmp_path / "x.json").read_text())["weights"]["beam"] == 2
    lm.write_bytes(b"\\data\\\nngram one=1\n\\end\\\n")
    code, _, err = asr("transcribe", goforward, "-m", model, "--lm", lm)
    assert code == 1 and "x.arpa.gz, line 2: " in err


SAID = "go forward ten meters\n"


def test_a_language_model_gets_the_words_of_further_texts(
    asr: RunAsr, model: str, goforward: Path, tmp_path: Path
) -> None:
    general, mine = tmp_path / "general.txt", tmp_path / "mine.txt"
    general.write_text("turn left\nturn right\ngo back\nten miles\n")
    mine.write_text("go forward ten meters\ngo back ten meters\nstop\n")
    base, lm = tmp_path / "general.arpa.gz", tmp_path / "mine.ngrams"
    assert asr("lm", "train", general, "--out", base, "--order", "2")[0] == 0
    record = {"weights": {"alpha": 0.75, "beam": 40}, "tuned": {"wer": 0.1}}
    (tmp_path / "general.json").write_text(json.dumps(record))
    code, out, _ = asr("lm", "train", mine, "--base", base, "--out", lm)
    assert code == 0 and "10 words, 3 of them new" in out and "the texts weigh" in out
    written = json.loads((tmp_path / "mine.json").read_text())
    assert written["weights"]["alpha"] == 0.75  # those of the base, until they are tuned
    assert not written["tuned"] and 0.1 <= written["made"]["share"] <= 0.9
    assert asr("transcribe", goforward, "-m", "en-base", "--lm", base)[1] != SAID
    assert asr("transcribe", goforward, "-m", "en-base", "--lm", lm)[1] == SAID
    code, _, err = asr("lm", "train", mine, "--base", model, "--out", lm)
    assert code == 1 and "this recogniser has no language model" in err
    code, _, err = asr("lm", "train", mine, "--base", "en-huge", "--out", lm)
    assert code == 1 and "en-huge: no model directory" in err


def test_alternatives_and_hot_words(
    asr: RunAsr, model: str, goforward: Path, tmp_path: Path
) -> None:
    code, out, _ = asr(
        "transcribe",
        goforward,
        "-m",
        model,
        "--nbest",
        3,
        "--format",
        "jsonl",
        "--hot-words",
        "forward",
        "--hot-weight",
        2,
    )
    result = json.loads(out)
    assert code == 0 and len(result["alternatives"]) == 3
    assert result["alternatives"][0]["text"] == result["text"]
    scores = [a["score"] for a in result["alternatives"]]
    assert scores == sorted(scores, reverse=True)
    code, out, _ = asr("transcribe", goforward, "-m", model, "--format", "jsonl")
    assert "alternatives" not in json.loads(out)
    code, _, err = asr("transcribe", goforward, "-m", model, "--hot-words", "жук")
    assert code == 1 and "hot word 'жук'" in err
    (tmp_path / "words.txt").write_text("go forward")
    code, out, _ = asr("transcribe", goforward, "-m", model, "--lexicon", tmp_path / "words.txt")
    assert code == 0 and set(out.split()) <= {"go", "forward"}


def test_evaluate_counts_a_missing_file_and_ends_with_1(
    asr: RunAsr, model: str, goforward: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.jsonl"
    lost = Utterance("stop", 1.0, tmp_path / "lost.wav")
    write_manifest(manifest, [Utterance("go forward ten meters", 2.786, goforward), lost])
    code, out, _ = asr("evaluate", model, manifest, "--json")
    result = json.loads(out)
    assert code == 1 and result["utterances"] == 2
    assert result["deletions"] >= 1 and "lost.wav" in result["failures"][0]["error"]


def test_data_prepare_and_check(asr: RunAsr, tone: WriteTone, tmp_path: Path) -> None:
    path = tone("mine/a.wav")
    path.with_suffix(".txt").write_text("Go forward.")
    tone("mine/b.wav")
    out = tmp_path / "out"
    code, text, err = asr("data", "prepare", "folder", "--source", path.parent, "--out", out)
    assert code == 0 and "train: 1 utterances" in text and "b.wav: " in err and "b.txt" in err
    assert "dev: no utterances, no manifest" in text
    code, text, _ = asr("data", "check", out / "train.jsonl")
    assert code == 0 and "1 utterances, 0.00 h" in text and "0 errors, 0 warnings" in text
    path.unlink()
    code, text, _ = asr("data", "check", out / "train.jsonl")
    assert code == 1 and "a.wav: " in text


def test_results_go_to_stdout_while_the_terminal_shows_a_bar(model: str, goforward: Path) -> None:
    """By default, rich redirects stdout to its own console while it shows a bar."""
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "asr", "transcribe", goforward, goforward, "-m", model]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, text=True)
    os.close(follower)
    shown = b""
    with suppress(OSError):  # raised at the end of a terminal's output
        while True:
            shown += os.read(leader, 1 << 16)
    os.close(leader)
    terminal = shown.decode()
    text = Recognizer.load(model).transcribe(goforward).text
    assert ended.returncode == 0 and ended.stdout == f"{text}\n" * 2
    assert "loading" in terminal and "2 recordings" in terminal


def test_force_color_shows_no_bar_without_a_terminal(model: str, goforward: Path) -> None:
    """Jupyter sets FORCE_COLOR for the programs that its cells start."""
    ended = subprocess.run(
        [sys.executable, "-m", "asr", "transcribe", goforward, "-m", model],
        capture_output=True,
        text=True,
        env={**os.environ, "FORCE_COLOR": "1"},
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_pipelines_are_short_recipes() -> None:
    for path in (ROOT / "pipelines").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 60, path


def test_batch_pipeline_is_the_same_call(model: str, goforward: Path, tmp_path: Path) -> None:
    out = tmp_path / "text.txt"
    command = [
        sys.executable,
        ROOT / "pipelines" / "transcribe_batch.py",
        goforward,
        "gone.wav",
        "--model",
        model,
        "--format",
        "txt",
        "--out",
        out,
    ]
    refused = subprocess.run([*command, "--lm", "gone.arpa"], capture_output=True, text=True)
    assert refused.returncode == 1 and "error: gone.arpa: " in refused.stderr
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1 and "gone.wav: " in ended.stderr
    assert out.read_text() == Recognizer.load(model).transcribe(goforward).text + "\n"


def test_a_folder_of_results_by_two_workers(
    asr: RunAsr, model: str, tone: WriteTone, tmp_path: Path
) -> None:
    names = [str(tone(f"in/{i}.wav", 0.3 + i / 20, seed=i)) for i in range(20)]
    names[7] = str(tmp_path / "in/gone.wav")
    errors, one, two = tmp_path / "e.jsonl", tmp_path / "one", tmp_path / "two"
    common = ("transcribe", *names, "-m", model, "--format", "jsonl", "--errors", errors)
    code, out, err = asr(*common, "--out", f"{one}/")
    assert (code, out) == (1, "") and "20 recordings" in err and "gone.wav: " in err
    assert json.loads(errors.read_text())["audio_filepath"] == names[7]
    code, _, err = asr(*common, "--out", f"{two}/", "--workers", "2")
    assert code == 1 and "20 recordings, 14.8 s, 1 failed" in err
    results = sorted(path.name for path in one.glob("*.jsonl"))
    assert results == sorted(f"{i}.jsonl" for i in range(20) if i != 7)
    for name in results:
        line = json.loads((one / name).read_text())
        # The last digit may depend on the number of threads per worker.
        assert json.loads((two / name).read_text()) == {
            **line,
            "score": pytest.approx(line["score"], abs=2e-4),
        }
    summary = json.loads((two / "summary.json").read_text())
    assert (summary["transcribed"], summary["failed"], summary["workers"]) == (19, 1, 2)
    code, _, err = asr(*common, "--out", two, "--resume", "--workers", "2")
    assert code == 1 and "19 done before" in err


def test_split_channels_prints_a_text_per_channel(asr: RunAsr, model: str, tmp_path: Path) -> None:
    sound = np.random.default_rng(3).normal(0, 0.1, (16_000, 2))
    soundfile.write(tmp_path / "call.wav", sound, 16_000)
    code, out, _ = asr("transcribe", tmp_path / "call.wav", "-m", model, "--split-channels")
    recognizer = Recognizer.load(model)
    texts = [recognizer.transcribe(tmp_path / "call.wav", channel=c).text for c in (0, 1)]
    assert (code, out) == (0, f"{texts[0]}\n{texts[1]}\n")
    code, out, _ = asr(
        "transcribe", tmp_path / "call.wav", "-m", model, "--split-channels", "--format", "jsonl"
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["channel"], line["text"]) for line in lines] == [*enumerate(texts)]


def test_a_name_that_is_too_long_fails_alone(
    model: str, goforward: Path, asr: RunAsr, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "x" * 300 + ".wav"
    code, shown, err = asr("transcribe", long, goforward, "-m", model)
    assert code == 1 and len(shown.splitlines()) == 1
    assert f"failed: {long}: " in err and "2 recordings" in err
    listed = f"{long}\n{goforward}\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    code, shown_again, err = asr("transcribe", "-", "-m", model)
    assert (code, shown_again) == (1, shown) and f"failed: {long}: " in err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    code, shown, err = asr("transcribe", "-", "-m", model)
    assert (code, shown) == (1, "") and "no file names on stdin" in err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, shown, err = asr("transcribe", "-", "-m", model)
    assert (code, shown) == (1, "") and "-: stdin is empty" in err


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (b"a.wav\r\n\n b.wav\n", ["a.wav", " b.wav"]),
        (b"two\nlines.wav\0\xe9.wav\0", ["two\nlines.wav", "\udce9.wav"]),
        ("x\u2028y.wav\n".encode(), ["x\u2028y.wav"]),
    ],
)
def test_a_list_on_stdin_holds_any_name(
    listed: bytes, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    assert find_recordings(["-"]) == (names, [])
