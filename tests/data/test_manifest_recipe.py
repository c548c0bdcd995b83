"""Recipes prepare corpora, and select utterances from their manifests."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scripts import run_script

from asr.base.config import load_yaml, read_yaml
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.data.manifest_recipe import ManifestRecipe, Selection, make_manifests, select
from asr.errors import ConfigError, ManifestError

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "pipelines" / "configs" / "strangers.yaml"
LISTS = RECIPE.with_suffix("")


@cache
def silence() -> bytes:
    """A recording of 0.1 s."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(800), 8000, format="WAV")
    return file.getvalue()


def audio(path: Path) -> None:
    """Write a recording. Its format is told by its contents, whatever the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(silence())


def write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def listed(name: str) -> list[str]:
    lines = (LISTS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    utterances = [
        Utterance(f"text {i}", float(i), tmp_path / f"{name}.wav", speaker=f"p{i % 3}")
        for i, name in enumerate("abcdef")
    ]
    write_manifest(tmp_path / "corpus/train.jsonl", utterances[:4])
    write_manifest(tmp_path / "corpus/test.jsonl", utterances[4:])
    write_manifest(
        tmp_path / "corpus/untranscribed.jsonl", [Utterance("", 1.0, tmp_path / "g.wav")]
    )
    dev = [Utterance("Text one.", 1.0, tmp_path / "x.wav"), Utterance("y", 1.0, tmp_path / "f.wav")]
    write_manifest(tmp_path / "dev.jsonl", dev)
    write(tmp_path / "names.txt", ["# first e, then a speaker", "e", "", "p0"])
    return tmp_path


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({}, "abcdef"),  # not those without texts
        ({"only": ("names.txt",)}, "ead"),
        ({"only": ("p1", "c"), "without": ("e",)}, "bc"),
        ({"without": ("names.txt", "b")}, "cf"),
        ({"apart_from": ("dev.jsonl",)}, "acde"),  # f is there, and b has the sentence "text 1"
        ({"longest": 3.0}, "abcd"),
        ({"longest": 3.0, "first": 2}, "ab"),
        ({"spread": 3}, "ace"),
        ({"spread": 4}, "abcd"),
        ({"spread": 9}, "abcdef"),
    ],
)
def test_a_selection(folder: Path, keys: dict[str, tuple[str, ...]], names: str) -> None:
    selection = Selection(manifests=("corpus",), **keys)  # type: ignore[arg-type]
    assert "".join(u.path.stem for u in select(selection, folder, folder)) == names


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"manifests": ("gone",)}, "gone: cannot be read"),
        ({"manifests": ("empty",)}, "empty: has no train.jsonl, dev.jsonl or test.jsonl"),
        ({"only": ("a", "h", "i", "j", "k")}, "no utterance of h, i, j and 1 more"),
        ({"longest": 3.0, "only": ("f",)}, "no utterance is left"),
        ({"only": ("gone.txt",)}, r"gone\.txt: cannot be read"),
    ],
)
def test_a_wrong_selection(folder: Path, keys: dict[str, tuple[str, ...]], message: str) -> None:
    (folder / "empty").mkdir()
    selection = Selection(**{"manifests": ("corpus",), **keys})  # type: ignore[arg-type]
    with pytest.raises((ManifestError, ConfigError), match=message):
        select(selection, folder, folder)


def test_fewer_minutes_are_a_random_part_of_more(folder: Path) -> None:
    recordings = [Utterance(f"text {i}", 1 + i % 5, folder / f"{i}.wav") for i in range(200)]
    write_manifest(folder / "many.jsonl", recordings)
    three, five = (
        select(Selection(manifests=("many.jsonl",), minutes=minutes), folder, folder)
        for minutes in (3, 5)
    )
    names = [{u.path.stem for u in chosen} for chosen in (three, five)]
    assert names[0] < names[1]
    for minutes, chosen in ((3, three), (5, five)):
        assert 60 * minutes - 5 < sum(u.duration for u in chosen) <= 60 * minutes
        assert 60 < np.mean([int(u.path.stem) for u in chosen]) < 140  # not the first ones
        assert chosen == [u for u in read_manifest(folder / "many.jsonl") if u in chosen]
    with pytest.raises(ManifestError, match=r"20 minutes are asked for, but there are 10\.0"):
        select(Selection(manifests=("many.jsonl",), minutes=20), folder, folder)


def librispeech(folder: Path, part: str, names: Iterable[str]) -> None:
    for name in names:
        speaker, chapter, _ = name.split("-")
        chapter_folder = folder / "LibriSpeech" / part / speaker / chapter
        audio(chapter_folder / f"{name}.flac")
        transcripts = chapter_folder / f"{speaker}-{chapter}.trans.txt"
        with transcripts.open("a") as file:
            file.write(f"{name} {part} {name}\n")


def common_voice(folder: Path, people: Iterable[str], clips: Iterable[str]) -> None:
    rows = []
    for person, clip in zip(people, clips, strict=True):
        audio(folder / f"en/clips/{clip}.mp3")
        rows.append(f"{person}\t{clip}.mp3\tsentence of {clip}")
    write(folder / "en/validated.tsv", ["client_id\tpath\tsentence", *rows])


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A few corpora of the strangers' recipe with the people that it keeps out."""
    raw = tmp_path / "raw"
    people = [f"{i:04d}" for i in range(10)]
    for part, some in (("train", ["0101"]), ("test", people)):
        for person in some:
            audio(raw / f"speechocean762/WAVE/SPEAKER{person}/{person}1.WAV")
        folder = raw / "speechocean762" / part
        write(folder / "text", [f"{person}1\tWE CALL IT BEAR" for person in some])
        write(folder / "utt2spk", [f"{person}1 {person}" for person in some])
        write(folder / "wav.scp", [f"{p}1\tWAVE/SPEAKER{p}/{p}1.WAV" for p in some])
    train = [f"{speaker}-1-000{i}" for speaker in ("1088", "118", "3526") for i in (0, 1)]
    librispeech(raw / "librispeech-train", "train-clean-5", train)
    librispeech(raw / "librispeech-100", "train-clean-100", listed("librispeech_251_train.txt"))
    librispeech(raw / "librispeech-other", "test-other", listed("librispeech_other_test.txt"))
    librispeech(raw / "librispeech-test", "test-clean", ["61-1-0000"])
    left_out = listed("commonvoice_left_out.txt")
    unheard = [f"{name}{i:048}" for i, name in enumerate(left_out) if len(name) == 16]
    clips = [name for name in listed("commonvoice_dev.txt") if name.startswith("common_voice")]
    dev = [f"dev-{i:060}" for i in range(len(clips))]
    for version, people_of_it, clips_of_it in (
        ("6", ["a" * 64, *unheard], ["common_voice_en_1", *(p[:16] for p in unheard)]),
        ("13", ["b" * 64], ["common_voice_en_2"]),
        ("18", [dev[0]], ["common_voice_en_3"]),  # one more clip of a person of the dev set
        ("19", [unheard[0], "c" * 64], ["common_voice_en_4", "common_voice_en_40916144"]),
        ("20", dev, clips),
    ):
        common_voice(raw / f"commonvoice-{version}", people_of_it, clips_of_it)
    first = [name for name in listed("commonvoice_dev.txt") if name.startswith("sample")]
    first += [*(name for name in left_out if name.startswith("sample")), "sample-900000"]
    for name in first:
        audio(raw / f"commonvoice-v1/cv-valid-dev/{name}.mp3")
    rows = [f"cv-valid-dev/{name}.mp3,sentence of {name}" for name in first]
    write(raw / "commonvoice-v1/cv-valid-dev/cv-valid-dev.csv", ["filename,text", *rows])
    audio(raw / "commonvoice-13/en/clips/common_voice_en_5.mp3")
    return raw


def test_unheard_people_and_test_sets_are_in_no_training(
    raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = raw.parent / "data"
    script = ROOT / "pipelines" / "prepare_manifests.py"
    command = [str(script), str(RECIPE), "--raw", str(raw.parent), str(raw), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", command)
    assert run_script(script) == 1  # the corpora that are not here are named, and the rest is made
    shown = capsys.readouterr()
    assert "not made: kathleen: no folder kathleen in " in shown.err
    assert "not made: tuning/kathleen.jsonl: " in shown.err
    assert f"375 utterances, {out / 'strangers/commonvoice_dev.jsonl'}" in shown.out
    made = {
        path.stem: read_manifest(path)
        for path in (*(out / "strangers").iterdir(), *(out / "librispeech-test").iterdir())
    }
    speakers = {name: {u.speaker for u in found} for name, found in made.items()}
    assert speakers["speechocean762_train"] == {
        *("0101", "0002", "0003", "0004", "0007", "0008", "0009")
    }
    assert speakers["speechocean762_dev"] == {"0000", "0005"}  # 0001 and 0006 are nowhere
    assert speakers["librispeech_train"] == {"118"}
    assert speakers["librispeech_dev"] == {"1088", "3526"}
    assert len(made["librispeech_251_train"]) == 204
    assert [u.path.stem for u in made["commonvoice_dev"]] == listed("commonvoice_dev.txt")
    assert [u.path.stem for u in made["commonvoice_train"]] == [
        *("sample-900000", "common_voice_en_2", "common_voice_en_1")
    ]
    assert [u.path.stem for u in made["commonvoice_untranscribed"]] == ["common_voice_en_5"]
    assert len(made["librispeech_other_test"]) == 100
    tests = {name for name in speakers if "test" in name}
    assert tests == {"librispeech_other_test", "test", "test_every_20th"}
    for test in tests:
        for name in speakers.keys() - tests:
            assert speakers[test].isdisjoint(speakers[name] - {None}), (test, name)


OTHER_COMMANDS = {
    "kokoro/train.jsonl",
    "strangers/commonvoice_teacher_train.jsonl",
    "strangers/commonvoice_nbest_train.jsonl",
    "strangers/others_nbest_train.jsonl",
    "strangers/commonvoice_second_nbest_train.jsonl",
    "strangers/others_second_nbest_train.jsonl",
    "strangers/commonvoice_third_nbest_train.jsonl",
    "strangers/others_third_nbest_train.jsonl",
}
"""Manifests of en-base that data/README.md makes with commands of their own."""


@pytest.mark.parametrize(
    "training",
    ["en-base.yaml", *sorted(path.name for path in RECIPE.parent.glob("en-base-*.yaml"))],
)
def test_the_recipe_makes_what_en_base_reads(training: str) -> None:
    recipe = load_yaml(ManifestRecipe, RECIPE)
    data = read_yaml(RECIPE.with_name(training))["data"]
    read = {*data["train"], *data["dev"], *data.get("repeat", ())} - OTHER_COMMANDS
    selected = {name for name in read if str(Path(name).parent) not in recipe.corpora}
    assert selected and selected <= set(recipe.selections)


def test_a_wrong_recipe_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    corpora = {"x": {"corpus": "y", "source": "x"}}
    path.write_text(json.dumps({"corpora": corpora, "selections": {}}))
    with pytest.raises(ConfigError, match=r"corpora\.x: .*unknown corpus; known: alphanumeric"):
        load_yaml(ManifestRecipe, path)
    with pytest.raises(ConfigError, match=r"comonvoice: not in the recipe, which has kathleen"):
        make_manifests(load_yaml(ManifestRecipe, RECIPE), LISTS, [], tmp_path, ["comonvoice"])
