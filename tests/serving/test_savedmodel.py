"""SavedModels of recognisers give the same results as Python, also without asr and Keras."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.types.experimental import ConcreteFunction

from asr.audio.features import expand, load_features
from asr.audio.reading import read_audio
from asr.errors import OutputError
from asr.recognizer import Recognizer
from asr.serving.savedmodel import _Speller, write_saved_model
from asr.text.tokenizers import Tokenizer, TokenizerConfig, train_subwords


@pytest.fixture(scope="module")
def served(exported: Path) -> Any:
    return tf.saved_model.load(str(exported))


@pytest.fixture(scope="module")
def clips(goforward: Path) -> list[np.ndarray]:
    speech = read_audio(goforward)
    return [speech, speech[:20_000], 0.1 * speech[9000:30_000], np.zeros(4000, np.float32)]


def pad(clips: list[np.ndarray], filler: float = 0.5) -> dict[str, np.ndarray]:
    """A batch whose padding is `filler`, which must not be read."""
    samples = np.full([len(clips), max(map(len, clips)) + 100], filler, np.float32)
    for row, clip in zip(samples, clips, strict=True):
        row[: len(clip)] = clip
    return {"samples": samples, "lengths": np.array([len(c) for c in clips], np.int32)}


def test_text_and_logits_equal_pythons_alone_and_in_a_batch(
    served: Any, tiny: Recognizer, clips: list[np.ndarray]
) -> None:
    texts = served.signatures["serving_default"](**pad(clips))
    logits = served.signatures["logits"](**pad(clips))
    for i, clip in enumerate(clips):
        expected = tiny.transcribe(clip)
        (frames,) = tiny.logits([tiny.features(clip)[0]])
        alone = served.signatures["serving_default"](**pad([clip]))
        for result, row in ((texts, i), (alone, 0)):
            assert result["text"][row].numpy().decode() == expected.text
            assert float(result["score"][row]) == pytest.approx(expected.score, abs=1e-4)
            assert result["logits_length"][row] == len(frames)
        np.testing.assert_allclose(logits["logits"][i, : len(frames)], frames, atol=1e-4)
    assert texts["text"][0].numpy() != b""


def test_cepstra_give_the_same_text(served: Any, tiny: Recognizer, goforward: Path) -> None:
    cepstra = load_features(goforward.with_suffix(".mfc"), tiny.config.features)
    batch = np.full([2, len(cepstra), 13], 9, np.float32)
    batch[0], batch[1, :100] = cepstra, cepstra[:100]
    out = served.signatures["features"](features=batch, lengths=np.array([len(cepstra), 100]))
    for i, rows in enumerate((cepstra, cepstra[:100])):
        (frames,) = tiny.logits([expand(rows, tiny.config.features)])
        np.testing.assert_allclose(out["logits"][i, : len(frames)], frames, atol=1e-4)
        assert out["text"][i].numpy().decode() == tiny.tokenizer.decode(_greedy(frames))


def _greedy(frames: np.ndarray) -> list[int]:
    best = frames.argmax(axis=1)
    return [int(b) for a, b in zip([0, *best[:-1]], best, strict=True) if b not in (0, a)]


def test_audio_shorter_than_a_frame_has_no_text(served: Any) -> None:
    out = served.signatures["serving_default"](**pad([np.ones(300, np.float32), np.ones(0)]))
    assert out["text"].numpy().tolist() == [b"", b""]
    assert out["logits_length"].numpy().tolist() == [0, 0] and out["score"][0] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": np.array([5000], np.int32)}, "a length is beyond the samples"),
        ({"lengths": np.array([-1], np.int32)}, "a length is negative"),
        ({"lengths": np.array([1, 1], np.int32)}, "samples and lengths differ in batch size"),
        ({"samples": np.full([1, 4100], np.nan, np.float32)}, "samples are not finite"),
    ],
)
@pytest.mark.parametrize("signature", ["serving_default", "logits"])
def test_an_invalid_request_says_what_is_wrong(
    served: Any, signature: str, change: dict[str, np.ndarray], message: str
) -> None:
    request = {**pad([np.zeros(4000, np.float32)]), **change}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.signatures[signature](**request)


def test_other_shapes_need_no_new_trace(served: Any, tiny: Recognizer) -> None:
    assert all(isinstance(s, ConcreteFunction) for s in served.signatures.values())
    for batch, frames in ((1, 9), (3, 40), (2, 7)):
        tiny.logits([np.zeros([frames, 39], np.float32)] * batch)
    assert tiny.acoustic_model._traced.experimental_get_tracing_count() == 1


def test_padding_is_not_read(served: Any, clips: list[np.ndarray]) -> None:
    first = served.signatures["serving_default"](**pad(clips))
    second = served.signatures["serving_default"](**pad(clips, filler=np.nan))
    assert first["text"].numpy().tolist() == second["text"].numpy().tolist()


def test_eight_threads_get_their_own_answers(served: Any, clips: list[np.ndarray]) -> None:
    call = served.signatures["serving_default"]
    expected = [call(**pad([clip]))["score"].numpy() for clip in clips]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: call(**pad([clips[i % 4]]))["score"].numpy(), range(32)))
    for i, score in enumerate(found):
        np.testing.assert_array_equal(score, expected[i % 4])


def test_it_runs_without_asr_and_keras(
    exported: Path, tiny: Recognizer, clips: list[np.ndarray], tmp_path: Path
) -> None:
    np.savez(tmp_path / "batch.npz", **pad(clips))  # type: ignore[arg-type]
    code = f"""
import sys
sys.modules["asr"] = sys.modules["keras"] = None
import numpy as np, tensorflow as tf
model = tf.saved_model.load({str(exported)!r})
batch = dict(np.load({str(tmp_path / "batch.npz")!r}))
text = model.signatures["serving_default"](**batch)["text"]
print("|".join(t.decode() for t in text.numpy()))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert out.stdout.strip("\n") == "|".join(tiny.transcribe(clip).text for clip in clips)


def test_the_graph_has_standard_operations_only(exported: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import op_def_registry

    graph = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    definition = graph.meta_graphs[0].graph_def
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    operations = {node.op for node in nodes} - {
        f.signature.name for f in definition.library.function
    }
    assert operations >= {"MatMul", "RFFT", "ReverseSequence", "Assert"}
    assert all(op_def_registry.get(name) is not None for name in operations)
    assert not [name for name in operations if "Cudnn" in name or "PyFunc" in name]


class Doubler(tf.Module):
    """The smallest module with an endpoint."""

    def __init__(self) -> None:
        super().__init__()
        spec = tf.TensorSpec([None], tf.float32, name="x")
        double = tf.function(lambda x: {"y": 2 * x}, input_signature=(spec,))
        self.endpoints = {"serving_default": double}


def test_versions_count_up(tiny_folder: Path, tmp_path: Path) -> None:
    def write() -> str:
        inputs = {"x": np.zeros(1, np.float32)}
        return write_saved_model(Doubler, "double", tiny_folder, tmp_path, {}, inputs).name

    assert write() == "1"
    (tmp_path / "double" / "7").mkdir()
    assert write() == "8"
    assert sorted(p.name for p in (tmp_path / "double").iterdir()) == ["1", "7", "8"]


class Doubling(tf.Module):
    """Nothing to export: the test stops the export before it looks."""

    endpoints: dict[str, Any] = {}  # noqa: RUF012


def test_a_full_disk_is_one_error_and_leaves_nothing(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        message = "x/part-0.tempstate1; No space left on device [Op:SaveV2]"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OutputError, match=r"new/double: .*\(No space left on device\)"):
        write_saved_model(Doubling, "double", tiny_folder, tmp_path / "new", {}, {})
    assert not (tmp_path / "new").exists()


def test_the_export_has_configuration_card_and_labels(exported: Path, tiny_folder: Path) -> None:
    assert exported.parts[-2:] == ("tiny", "1")
    for name in ("model.json", "README.md"):
        assert (exported / "assets" / name).read_bytes() == (tiny_folder / name).read_bytes()
    labels = (exported / "assets" / "labels.txt").read_text().split("\n")
    assert labels[:4] == ["", " ", "'", "a"]


def test_the_warm_up_request_can_be_answered(exported: Path, served: Any) -> None:
    from tensorflow_serving.apis import prediction_log_pb2

    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    (record,) = tf.data.TFRecordDataset(str(path))
    request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
    assert request.model_spec.signature_name == "serving_default"
    inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
    assert served.signatures["serving_default"](**inputs)["logits_length"].numpy() > 0


JAMO = Tokenizer(TokenizerConfig(kind="jamo", normaliser="korean", alphabet=""))
SUBWORDS = Tokenizer(train_subwords(["go forward ten meters", "go back to the meters"], 20))
SPELLERS = {t: _Speller(t) for t in (JAMO, SUBWORDS)}


@pytest.mark.parametrize("tokenizer", [JAMO, SUBWORDS], ids=["jamo", "subwords"])
@given(data=st.data())
@settings(max_examples=30)
def test_the_graph_joins_labels_as_the_tokenizer_does(
    tokenizer: Tokenizer, data: st.DataObject
) -> None:
    unit = st.integers(1, len(tokenizer) - 1)
    rows = data.draw(st.lists(st.lists(unit, max_size=12), min_size=1, max_size=3))
    spelled = SPELLERS[tokenizer](tf.ragged.constant(rows, tf.int32, ragged_rank=1))
    found = [text.decode() for text in spelled.numpy()]
    assert found == [tokenizer.decode(row) for row in rows]


def test_hangul_is_composed() -> None:
    ids = JAMO.encode("안녕 세계 값")
    spelled = SPELLERS[JAMO](tf.ragged.constant([ids], tf.int32))
    assert spelled.numpy()[0].decode() == "안녕 세계 값"
