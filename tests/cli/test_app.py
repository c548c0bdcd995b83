"""The commands as a user types them."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zoo

from asr.cli import app
from asr.data.inputs import find_recordings
from asr.data.manifest import Utterance, write_manifest
from asr.recognizer import Recognizer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tiny: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("cli") / "tiny"
    tiny.save(folder, "# tiny\n")
    return str(folder)


@pytest.fixture
def asr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["asr", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def test_help_does_not_import_what_is_slow() -> None:
    code = (
        "import sys; sys.argv = ['asr', '--help']\n"
        "from asr.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'tensorflow', 'keras', 'numpy', 'librosa', 'matplotlib', 'pydantic'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "transcribe" in out.stdout and out.stdout.strip().endswith("[]")


def test_a_folder_with_bad_files(asr, model: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "in"
    folder.mkdir()
    zoo.odd(folder)
    bad = [name for name in zoo.bad(folder) if name not in ("missing.wav", "folder.wav")]
    (folder / "folder.wav").rmdir()
    code, out, err = asr("transcribe", folder, "-m", model, "--format", "jsonl")
    assert code == 1
    done = {Path(json.loads(line)["audio_filepath"]).name for line in out.splitlines()}
    assert done == set(zoo.odd(folder))
    for name in bad:
        assert re.search(rf"failed: .*{re.escape(name)}: ", err), name
    assert f"{len(done) + len(bad)} recordings" in err and f"{len(bad)} failed" in err


def test_one_file_is_its_text_and_nothing_else(asr, model: str, goforward: Path, tiny) -> None:  # type: ignore[no-untyped-def]
    code, out, err = asr("transcribe", goforward, "-m", model)
    assert (code, out) == (0, Recognizer.load(model).transcribe(goforward).text + "\n")
    assert "recordings" not in err


def test_subtitles_have_the_lines_asked_for(asr, model: str, goforward: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = ("transcribe", goforward, "-m", model, "--format", "vtt", "--line-length", "5")
    code, out, _ = asr(*arguments, "--lines", "1")
    text = Recognizer.load(model).transcribe(goforward).text
    lines = [line for line in out.splitlines()[1:] if line and "-->" not in line]
    assert code == 0 and out.startswith("WEBVTT\n\n00:00:0")
    assert " ".join(lines) == text and all(len(x) <= 5 or " " not in x for x in lines)


def test_results_keep_the_order_and_the_names_given(
    asr,
    model: str,
    tone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    long, short = tone("long.wav", 3.0), tone("short.wav", 0.5)
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, [Utterance("x", 3.0, long)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"short.wav\n\n")))
    out_file = tmp_path / "out" / "text.jsonl"
    code, out, _ = asr(
        "transcribe", "long.wav", "-", "m.jsonl", "*ort.wav", "-m", model, "--format", "jsonl",
        "--out", out_file,
    )  # fmt: skip
    assert (code, out) == (0, "")
    names = [json.loads(line)["audio_filepath"] for line in out_file.read_text().splitlines()]
    assert names == ["long.wav", "short.wav", "long.wav", "short.wav"]
    assert short.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transcribe", "nowhere.wav", "-m", "MODEL"], "nowhere.wav: no such file"),
        (["transcribe", "*.nothing", "-m", "MODEL"], "*.nothing: matches no file"),
        (["transcribe", "WAV", "-m", "en-huge"], "en-huge: no model directory"),
        (["transcribe", "WAV", "-m", "MODEL", "--format", "doc"], "--format doc: not known"),
        (["transcribe", "WAV", "WAV", "-m", "MODEL", "--format", "srt"], "one recording a file"),
        (["transcribe", "WAV", "-m", "MODEL", "--channel", "1"], "no channel 1: it has 1"),
        (["transcribe", "WAV", "-m", "MODEL", "--out", "/dev/null/x"], "/dev/null"),
        (["evaluate", "MODEL", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["train", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["export", "en-huge", "out"], "en-huge: no model directory"),
        (["data", "prepare", "tedlium", "--source", ".", "--out", "x"], "no such corpus"),
        (["data", "check", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
    ],
)
def test_mistakes_end_with_a_message_and_status_1(  # type: ignore[no-untyped-def]
    asr, model: str, goforward: Path, arguments: list[str], message: str
) -> None:
    values = {"MODEL": model, "WAV": str(goforward)}
    code, out, err = asr(*(values.get(a, a) for a in arguments))
    assert (code, out) == (1, "")
    assert message in err and "Traceback" not in err


def test_evaluate_prints_json_on_demand(asr, model: str, goforward: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
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


def test_a_language_model_is_trained_and_used(  # type: ignore[no-untyped-def]
    asr, model: str, goforward: Path, tmp_path: Path
) -> None:
    manifest, lm = tmp_path / "m.jsonl", tmp_path / "x.arpa.gz"
    write_manifest(manifest, [Utterance("Go forward, ten meters!", 2.786, goforward)])
    code, out, _ = asr("lm", "train", manifest, "--out", lm, "--order", "2")
    assert code == 0 and "4 words, 12 n-grams" in out
    code, out, _ = asr(
        "transcribe",
        goforward,
        "-m",
        model,
        "--beam",
        "4",
        "--lm",
        lm,
        "--alpha",
        "5",
        "--beta",
        "9",
    )
    assert code == 0 and set(out.split()) & {"go", "forward", "ten", "meters"}
    code, _, err = asr("transcribe", goforward, "-m", model, "--lm", lm, "--beam", 0)
    assert code == 1 and "a language model needs a beam" in err
    code, out, _ = asr("tune", model, manifest, "--lm", lm, "--beam", "2")
    assert code == 0 and out.count("--alpha") == 5 and "%" in out
    assert not (tmp_path / "x.json").exists()
    code, out, _ = asr("tune", model, manifest, "--lm", lm, "--beam", "2", "--save")
    assert code == 0 and f"kept: {tmp_path / 'x.json'}" in out
    assert json.loads((tmp_path / "x.json").read_text())["weights"]["beam"] == 2
    lm.write_bytes(b"\\data\\\nngram one=1\n\\end\\\n")
    code, _, err = asr("transcribe", goforward, "-m", model, "--lm", lm)
    assert code == 1 and "x.arpa.gz, line 2: expected 'ngram 1=COUNT'" in err


def test_alternatives_and_hot_words(asr, model: str, goforward: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = asr(
        "transcribe", goforward, "-m", model, "--nbest", 3, "--format", "jsonl",
        "--hot-words", "forward", "--hot-weight", 2,
    )  # fmt: skip
    result = json.loads(out)
    assert code == 0 and len(result["alternatives"]) == 3
    assert result["alternatives"][0]["text"] == result["text"]
    scores = [a["score"] for a in result["alternatives"]]
    assert scores == sorted(scores, reverse=True)
    code, out, _ = asr("transcribe", goforward, "-m", model, "--format", "jsonl")
    assert "alternatives" not in json.loads(out)
    code, _, err = asr("transcribe", goforward, "-m", model, "--hot-words", "жук")
    assert code == 1 and "hot word 'жук': 'жук' is not in the model's alphabet" in err
    (tmp_path / "words.txt").write_text("go forward")
    code, out, _ = asr("transcribe", goforward, "-m", model, "--lexicon", tmp_path / "words.txt")
    assert code == 0 and set(out.split()) <= {"go", "forward"}


def test_evaluate_counts_a_missing_file_and_ends_with_1(  # type: ignore[no-untyped-def]
    asr, model: str, goforward: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.jsonl"
    lost = Utterance("stop", 1.0, tmp_path / "lost.wav")
    write_manifest(manifest, [Utterance("go forward ten meters", 2.786, goforward), lost])
    code, out, _ = asr("evaluate", model, manifest, "--json")
    result = json.loads(out)
    assert code == 1 and result["utterances"] == 2
    assert result["deletions"] >= 1 and "lost.wav" in result["failures"][0]["error"]


def test_data_prepare_and_check(asr, tone, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tone("mine/a.wav")
    path.with_suffix(".txt").write_text("Go forward.")
    tone("mine/b.wav")
    out = tmp_path / "out"
    code, text, err = asr("data", "prepare", "folder", "--source", path.parent, "--out", out)
    assert code == 0 and "train: 1 utterances" in text and "b.wav: no b.txt beside it" in err
    assert "dev: no utterances, no manifest" in text
    code, text, _ = asr("data", "check", out / "train.jsonl")
    assert code == 0 and "1 utterances, 0.00 h" in text and "0 errors, 0 warnings" in text
    path.unlink()
    code, text, _ = asr("data", "check", out / "train.jsonl")
    assert code == 1 and "a.wav: no such file" in text


def test_results_stay_on_stdout_while_a_bar_is_on_the_terminal(model: str, goforward: Path) -> None:
    """rich sends what is printed during a bar to its own console unless told not to."""
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "asr", "transcribe", goforward, goforward, "-m", model]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, text=True)
    os.close(follower)
    shown = b""
    with suppress(OSError):  # which is how a terminal says that all of it was read
        while True:
            shown += os.read(leader, 1 << 16)
    os.close(leader)
    terminal = shown.decode()
    text = Recognizer.load(model).transcribe(goforward).text
    assert ended.returncode == 0 and ended.stdout == f"{text}\n" * 2
    assert "loading" in terminal and "2 recordings" in terminal


def test_no_bar_without_a_terminal_though_colours_are_wanted(model: str, goforward: Path) -> None:
    """Jupyter sets FORCE_COLOR for what its cells start."""
    ended = subprocess.run(
        [sys.executable, "-m", "asr", "transcribe", goforward, "-m", model],
        capture_output=True, text=True, env={**os.environ, "FORCE_COLOR": "1"},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


def test_pipelines_are_thin() -> None:
    for path in (ROOT / "pipelines").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 40, path


def test_batch_pipeline_is_the_same_call(model: str, goforward: Path, tmp_path: Path) -> None:
    out = tmp_path / "text.txt"
    command = [sys.executable, ROOT / "pipelines" / "transcribe_batch.py", goforward, "gone.wav",
               "--model", model, "--format", "txt", "--out", out]  # fmt: skip
    refused = subprocess.run([*command, "--lm", "gone.arpa"], capture_output=True, text=True)
    assert refused.returncode == 1 and "error: gone.arpa: cannot be read" in refused.stderr
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1 and "gone.wav: no such file" in ended.stderr
    assert out.read_text() == Recognizer.load(model).transcribe(goforward).text + "\n"


def test_a_folder_of_results_by_two_workers(asr, model: str, tone, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    names = [str(tone(f"in/{i}.wav", 0.3 + i / 20, seed=i)) for i in range(20)]
    names[7] = str(tmp_path / "in/gone.wav")
    errors, one, two = tmp_path / "e.jsonl", tmp_path / "one", tmp_path / "two"
    common = ("transcribe", *names, "-m", model, "--format", "jsonl", "--errors", errors)
    code, out, err = asr(*common, "--out", f"{one}/")
    assert (code, out) == (1, "") and "20 recordings" in err and "gone.wav: no such file" in err
    assert json.loads(errors.read_text())["audio_filepath"] == names[7]
    code, _, err = asr(*common, "--out", f"{two}/", "--workers", "2")
    assert code == 1 and "20 recordings, 14.8 s, 1 failed" in err
    results = sorted(path.name for path in one.glob("*.jsonl"))
    assert results == sorted(f"{i}.jsonl" for i in range(20) if i != 7)
    for name in results:
        line = json.loads((one / name).read_text())
        # The last digit may follow from how many threads a worker has.
        assert json.loads((two / name).read_text()) == {
            **line, "score": pytest.approx(line["score"], abs=2e-4),
        }  # fmt: skip
    summary = json.loads((two / "summary.json").read_text())
    assert (summary["transcribed"], summary["failed"], summary["workers"]) == (19, 1, 2)
    code, _, err = asr(*common, "--out", two, "--resume", "--workers", "2")
    assert code == 1 and "19 done before" in err


def test_both_speakers_of_a_call(asr, model: str, tmp_path: Path, tiny: Recognizer) -> None:  # type: ignore[no-untyped-def]
    sound = np.random.default_rng(3).normal(0, 0.1, (16_000, 2))
    soundfile.write(tmp_path / "call.wav", sound, 16_000)
    code, out, _ = asr("transcribe", tmp_path / "call.wav", "-m", model, "--split-channels")
    recognizer = Recognizer.load(model)
    texts = [recognizer.transcribe(tmp_path / "call.wav", channel=c).text for c in (0, 1)]
    assert (code, out) == (0, f"{texts[0]}\n{texts[1]}\n")
    code, out, _ = asr("transcribe", tmp_path / "call.wav", "-m", model, "--split-channels",
                       "--format", "jsonl")  # fmt: skip
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["channel"], line["text"]) for line in lines] == [*enumerate(texts)]


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (b"a.wav\r\n\n b.wav\n", ["a.wav", " b.wav"]),
        (b"two\nlines.wav\0\xe9.wav\0", ["two\nlines.wav", "\udce9.wav"]),
        ("x\u2028y.wav\n".encode(), ["x\u2028y.wav"]),
        (b"", []),
    ],
)
def test_a_list_on_stdin_holds_any_name(
    listed: bytes, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    assert find_recordings(["-"]) == (names, [])
