from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import run_script

from asr.base.config import parse
from asr.errors import ConfigError, ModelError
from asr.seq2seq.pairs import Pair, read_pairs
from asr.seq2seq.translation import (
    Translator,
    _train_pieces,
    compare_systems,
    from_pieces,
    metric_signatures,
    nearest_translations,
    score_translations,
    to_pieces,
    write_splits,
)
from asr.training.train_converter import ConverterExperimentConfig, train_converter

PIPELINES = Path(__file__).parents[2] / "pipelines"
VERBS = {"open": "열기", "close": "닫기", "print": "인쇄하기", "delete": "삭제하기"}
NOUNS = {"the file": "파일", "the window": "창문", "the page": "페이지", "the image": "이미지"}
PHRASES = [
    (f"{verb} {noun}", f"{NOUNS[noun]} {VERBS[verb]}")
    for verb, noun in itertools.product(VERBS, NOUNS)
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of phrases, few enough to be learnt by heart: what is tested is not the network."""
    folder = tmp_path_factory.mktemp("data") / "en-ko"
    splits = {"train": PHRASES * 12, "dev": PHRASES[::5], "test": PHRASES[::5]}
    write_splits(folder, splits, 20)
    return folder


@pytest.fixture(scope="module")
def translator(data: Path) -> Translator:
    config = parse(
        ConverterExperimentConfig,
        {
            "converter": "toy",
            "data": {
                "train": ["pieces/train.tsv"],
                "dev": ["pieces/dev.tsv"],
                "source": "words",
                "target": "words",
            },
            "network": {
                "embedding": 16,
                "encoder_units": 24,
                "encoder_layers": 1,
                "decoder_units": 32,
                "dropout": 0.0,
            },
            "training": {
                "epochs": 15,
                "batch_size": 16,
                "learning_rate": 1e-2,
                "average": 0.9,
                "warmup_epochs": 1,
                "threads": 0,
            },
        },
        "test",
    )
    model = train_converter(config, data, data.parent / "run", say=lambda _: None)
    return Translator(model, data / "pieces")


def test_splits_are_written_plain_and_in_pieces(data: Path) -> None:
    assert [(p.source, p.target) for p in read_pairs(data / "test.tsv")] == PHRASES[::5]
    assert not (data / "pieces" / "test.tsv").exists()
    for name in ("train", "dev"):
        plain, apart = read_pairs(data / f"{name}.tsv"), read_pairs(data / "pieces" / f"{name}.tsv")
        assert all(" " in pair.source for pair in apart)
        assert [Pair(from_pieces(p.source), from_pieces(p.target)) for p in apart] == plain


@given(st.lists(st.text("abcdezyx파일열기,.1", min_size=1, max_size=8), min_size=1, max_size=5))
def test_from_pieces_inverts_to_pieces(words: list[str]) -> None:
    model = _train_pieces([english for english, _ in PHRASES], 24)
    assert from_pieces(to_pieces(model, " ".join(words))) == " ".join(words)


def test_too_few_phrases_for_the_pieces_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pieces: "):
        write_splits(tmp_path, {"train": PHRASES, "dev": PHRASES}, 4000)


def test_phrases_are_translated(translator: Translator) -> None:
    said = translator([english.upper() for english, _ in PHRASES[::5]], beam=4, length_penalty=1.0)
    assert said == [korean for _, korean in PHRASES[::5]]
    assert translator([PHRASES[0][0]]) == said[:1]


def test_missing_sentencepiece_model_is_named(translator: Translator, data: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere/english\.model: cannot be read"):
        Translator(data.parent / "run" / "model", Path("nowhere"))


def test_scores_equal_those_of_sacrebleu() -> None:
    wanted = ["파일 열기", "창을 모두 닫기"]
    same = score_translations(wanted, wanted)
    assert (same.bleu, same.chrf, same.exact, same.interval) == (
        pytest.approx(100),
        pytest.approx(100),
        100,
        (100, 100),
    )
    half = score_translations(["파일 열기", "창 닫기"], wanted)
    # By characters, spaces are none: 4 + 3 of 10, so a brevity penalty of exp(1 - 10/7).
    assert half.bleu == pytest.approx(55.6, abs=0.1)
    assert half.chrf == pytest.approx(49.4, abs=0.1)
    assert half.exact == 50 and half.interval == (0, 100)
    assert score_translations(["a"], ["가"]).exact == score_translations(["a"], ["가"]).chrf == 0
    assert "tok:char" in metric_signatures()[0] and metric_signatures()[1].startswith("chrF2|")


def test_the_nearest_phrase_has_the_fewest_edits_for_its_length() -> None:
    train = [Pair("open file", "1"), Pair("open all of the files", "2"), Pair("close", "3")]
    assert nearest_translations(train, ["open files", "open all the files", "clone"]) == [
        "1",
        "2",
        "3",
    ]


def test_systems_are_compared(translator: Translator, data: Path) -> None:
    train, test = read_pairs(data / "train.tsv"), read_pairs(data / "test.tsv")
    found = compare_systems(translator, train, test, beam=2, length_penalty=1.0)
    assert list(found.scores) == [
        "the English as it is",
        "nearest phrase of train",
        "network, greedy",
        "network, beam 2",
        "  2 to 4 words (4)",
    ]
    assert [score.exact for score in found.scores.values()] == [0, 100, 100, 100, 100]
    assert found.translations == [pair.target for pair in test]
    assert found.to_dict()["scores"]["network, greedy"]["exact"] == 100


@pytest.mark.parametrize("as_json", [False, True])
def test_the_pipeline_prints_table_and_examples(
    as_json: bool,
    translator: Translator,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = PIPELINES / "evaluate_translation.py"
    arguments = [data.parent / "run" / "model", "--pairs", data, "--examples", 2]
    command = [str(script), *map(str, arguments), *(["--json"] if as_json else [])]
    monkeypatch.setattr(sys, "argv", command)
    assert run_script(script) == 0
    out = capsys.readouterr().out
    if as_json:
        assert json.loads(out)["scores"]["network, beam 4"]["bleu"] == pytest.approx(100)
    else:
        assert "4 phrases of test, 192 of train" in out and "BLEU|nrefs:1|" in out
        assert out.splitlines()[-2:] == [f"{e} | {k} | {k}" for e, k in PHRASES[::10]]


def test_pipeline_writes_pairs_from_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polib

    from asr.seq2seq import catalogues

    folder = tmp_path / "package/usr/share/locale/ko/LC_MESSAGES"
    folder.mkdir(parents=True)
    file = polib.POFile()
    file.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    # Letters, as digits are nothing to a split.
    words = ["".join(letters) for letters in itertools.product("abcde", repeat=3)]
    file.extend(polib.POEntry(msgid=f"Open {w}", msgstr=f"열기 {i}") for i, w in enumerate(words))
    file.save_as_mofile(str(folder / "program.mo"))
    (tmp_path / "package/DEBIAN").mkdir()
    (tmp_path / "package/DEBIAN/control").write_text(
        "Package: program\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b.c>\n"
        "Description: a program\n"
    )
    archive = tmp_path / "cache/program/program_1.0_all.deb"
    archive.parent.mkdir(parents=True)
    build = ["dpkg-deb", "--build", str(tmp_path / "package"), str(archive)]
    subprocess.run(build, check=True, capture_output=True)
    gather, known = catalogues.gather_phrases, (catalogues.Catalogue("program", "GPL-2+"),)
    monkeypatch.setattr(catalogues, "gather_phrases", lambda folder: gather(folder, known))
    script = PIPELINES / "make_translation_pairs.py"
    out, cache = str(tmp_path / "out"), str(tmp_path / "cache")
    command = [str(script), "--out", out, "--cache", cache, "--pieces", "20"]
    monkeypatch.setattr(sys, "argv", command)
    assert run_script(script) == 0
    made = json.loads((tmp_path / "out" / "made.json").read_text())
    assert sum(made["pairs"].values()) == 125 and "make_translation_pairs.py" in made["command"]
    assert made["packages"][0]["licence"] == "GPL-2+"
    parts = {n: {p.source for p in read_pairs(tmp_path / f"out/{n}.tsv")} for n in made["pairs"]}
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(parts.values(), 2))
