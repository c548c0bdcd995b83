from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zoo
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as arrays_of

from asr.audio.reading import read_audio
from asr.data.manifest import Utterance
from asr.decoding.window_joiner import WindowJoiner
from asr.decoding.windowed_recording import PendingWindow, WindowedRecording, batch_by_length
from asr.decoding.windowing import Window
from asr.errors import AudioError, ConfigError, ModelError
from asr.networks.weights import deviation_step, range_step, rounded
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript


@pytest.fixture(scope="module")
def saved(tiny: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny.save(folder, "# tiny\n")
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def edit(model: Path, change) -> None:  # type: ignore[no-untyped-def]
    values = json.loads((model / "model.json").read_text())
    change(values)
    (model / "model.json").write_text(json.dumps(values))


def test_saved_and_loaded_gives_the_same(saved: Path, tiny: Recognizer, goforward: Path) -> None:
    loaded = Recognizer.load(saved, runtime="tensorflow")
    assert loaded.config.acoustic == tiny.config.acoustic
    assert loaded.config.versions["tensorflow"]
    again = saved.parent / "again"
    loaded.save(again, "# tiny\n")
    ours, theirs = (Recognizer.load(folder).posteriors(goforward)[0] for folder in (saved, again))
    np.testing.assert_array_equal(ours, theirs)  # they are rounded once
    np.testing.assert_allclose(ours, tiny.posteriors(goforward)[0], atol=5e-3)


def test_path_samples_and_utterance_give_the_same(tiny: Recognizer, goforward: Path) -> None:
    samples = read_audio(goforward)
    by_path = tiny.transcribe(str(goforward))
    by_samples = tiny.transcribe(samples)
    by_utterance = tiny.transcribe(Utterance("x", 2.8, audio_filepath=goforward))
    assert by_path.text == by_samples.text == by_utterance.text != ""
    assert by_path.score == by_samples.score == by_utterance.score
    assert by_path.audio_filepath == str(goforward) and by_samples.audio_filepath is None
    assert by_path.duration == len(samples) / 16_000


def test_an_utterance_with_features_only(tiny: Recognizer, goforward: Path) -> None:
    features = goforward.with_suffix(".mfc")
    utterance = Utterance("x", 2.78, feature_filepath=features)
    transcript = tiny.transcribe(utterance)
    with pytest.raises(AudioError, match=r"goforward\.mfc: no channel 0"):
        tiny.transcribe(utterance, channel=0)
    assert transcript.duration == 2.78
    # The file has one frame more than we make of the recording: nearly the same score.
    assert transcript.score == pytest.approx(tiny.transcribe(goforward).score, abs=0.01)


def test_tokens_are_in_order_and_inside(tiny: Recognizer, goforward: Path) -> None:
    transcript = tiny.transcribe(goforward)
    times = [t for token in transcript.tokens for t in (token.start, token.end)]
    assert times == sorted(times)
    assert times[0] >= 0 and times[-1] <= transcript.duration
    for token in transcript.tokens:
        assert token.start * 50 == pytest.approx(round(token.start * 50), abs=1e-9)
        assert token.score < 0
    assert "".join(t.text for t in transcript.tokens).split() == transcript.text.split()


def test_a_list_is_as_each_alone_and_a_bad_file_stops_nothing(
    tiny: Recognizer,
    tone,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    good = [tone(f"{i}.wav", seconds, 200 + 90 * i) for i, seconds in enumerate((2.5, 0.4, 1.3))]
    (tmp_path / "bad").mkdir()
    bad = [tmp_path / "bad" / name for name in zoo.bad(tmp_path / "bad")]
    results = tiny.transcribe([good[0], *bad, good[1], good[2]])
    assert [isinstance(r, Failure) for r in results] == [False, *[True] * len(bad), False, False]
    for path, failure in zip(bad, results[1:], strict=False):
        assert failure.audio_filepath == str(path) and path.name in failure.error
    for path, result in zip(good, (results[0], *results[-2:]), strict=True):
        alone = tiny.transcribe(path)
        assert isinstance(result, Transcript)
        assert result.text == alone.text
        assert result.score == pytest.approx(alone.score, abs=1e-4)


def test_odd_audio_is_transcribed(tiny: Recognizer, tmp_path: Path) -> None:
    for name, seconds in zoo.unusual(tmp_path).items():
        assert tiny.transcribe(tmp_path / name).duration == pytest.approx(seconds, abs=1e-4)


def test_batches_are_bounded(tiny: Recognizer) -> None:
    joiner = WindowJoiner(tiny.decoder, None, tiny.heads)
    recording = WindowedRecording(0, tiny.windower(), joiner, tiny.config.features)
    waiting = [
        PendingWindow(
            recording,
            i,
            Window(static := np.zeros([n, 13], np.float32), np.arange(n), 0, static, np.arange(n)),
            static,
            n,
        )
        for i, n in enumerate((2000, 400, 100, 450))
    ]
    batches = batch_by_length(waiting, max_frames=1000)
    sizes = [[len(pending.window.static) for pending in batch] for batch in batches]
    assert sizes == [[100, 400], [450], [2000]]


def test_one_bad_file_alone_raises(tiny: Recognizer) -> None:
    with pytest.raises(AudioError, match=r"nowhere\.wav: no such file"):
        tiny.transcribe("nowhere.wav")
    with pytest.raises(AudioError, match="samples: sample rate 0 Hz"):
        tiny.transcribe(np.zeros(16_000, np.float32), sample_rate=0)


def test_a_result_tells_its_channel(tiny: Recognizer) -> None:
    sound = np.random.default_rng(3).normal(0, 0.1, (16_000, 2)).astype(np.float32)
    for channel in (None, 0, 1):
        one = tiny.transcribe(sound, channel=channel)
        assert one.channel == channel
        alone = sound.mean(axis=1) if channel is None else sound[:, channel]
        assert one.text == tiny.transcribe(alone).text
        assert tiny.align(sound, "go", channel=channel).channel == channel


def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(ModelError, match=r"en-huge: no model directory .*shipped: "):
        Recognizer.load("en-huge")


def test_missing_files_are_named(model: Path) -> None:
    (model / "weights.npz").unlink()
    with pytest.raises(ModelError, match=r"weights\.npz: cannot be read"):
        Recognizer.load(model)
    (model / "model.json").write_text("{")
    with pytest.raises(ModelError, match=r"model\.json: cannot be read"):
        Recognizer.load(model)


def test_damaged_weights_are_refused(model: Path) -> None:
    path = model / "weights.npz"
    data = path.read_bytes()
    # The last is a bit of the zip's directory: NumPy would ask for a compression it does not know.
    entry = data.rindex(b"PK\x01\x02") + 10
    flipped = data[:entry] + bytes([data[entry] ^ 64]) + data[entry + 1 :]
    for damaged in (data[:1000], b"", data[:-1] + b"?", flipped):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"weights\.npz: its SHA-256 is not the one"):
            Recognizer.load(model)
    path.write_bytes(data)
    edit(model, lambda v: v.update(weights_sha256="0" * 64))
    with pytest.raises(ModelError, match=r"weights\.npz: its SHA-256 is not the one"):
        Recognizer.load(model)


def rewrite(model: Path, arrays: dict[str, np.ndarray]) -> None:
    """Other weights, with their right SHA-256."""
    np.savez(model / "weights.npz", **arrays)  # type: ignore[arg-type]
    digest = hashlib.sha256((model / "weights.npz").read_bytes()).hexdigest()
    edit(model, lambda v: v.update(weights_sha256=digest))


def test_weights_that_are_not_the_models_are_named(model: Path) -> None:
    with np.load(model / "weights.npz") as file:
        arrays = {name: file[name] for name in file.files}
    bias = arrays.pop("acoustic/head/bias")
    rewrite(model, {**arrays, "acoustic/tail/bias": bias})
    with pytest.raises(
        ModelError,
        match="acoustic/head/bias is missing; acoustic/tail/bias is not part of the model",
    ):
        Recognizer.load(model)
    rewrite(model, {**arrays, "acoustic/head/bias": np.array([print], dtype=object)})
    with pytest.raises(ModelError, match=r"weights\.npz: not a weights file: .*pickle"):
        Recognizer.load(model)


@given(arrays_of(np.float32, 20, elements=st.floats(-8, 8, width=32)))
@example(np.zeros([0], np.float32))
@example(np.zeros([3], np.float32))
@example(np.array([1.0, -1.0], np.float32))
@example(np.array([2.0**-20, 2.0**-26], np.float32))
@example(np.array([256.5 / 512, 1 / 512], np.float32))
@example(np.array([60000.0, -1.0], np.float32))
def test_weights_are_rounded_to_ten_bits_of_the_range(values: np.ndarray) -> None:
    kept = rounded(values, range_step)
    largest = np.abs(values).max(initial=0.0)
    assert kept.shape == values.shape
    # Half of a step: 2⁻⁹ of the largest value at most, or half of float16's smallest step.
    assert (np.abs(kept.astype(np.float32) - values) <= max(largest * 2**-9, 2**-25)).all()
    assert len(np.unique(np.abs(kept))) <= 2**9 + 1
    np.testing.assert_array_equal(rounded(kept.astype(np.float32), range_step), kept)


@given(st.integers(0, 2**31), st.floats(1e-4, 4.0))
def test_large_arrays_are_rounded_by_their_deviation(seed: int, deviation: float) -> None:
    drawn = np.random.default_rng(seed).standard_normal((64, 200))
    values = (drawn * deviation).astype(np.float32)
    kept = rounded(values, deviation_step)
    steps = np.diff(np.unique(kept.astype(np.float32)))
    assert values.std() / 16 < steps.min() <= values.std() / 8
    assert np.abs(kept - values).max() <= steps.min() / 2
    np.testing.assert_array_equal(kept[0], rounded(values, lambda _: float(steps.min()))[0])
    few = values[0]
    np.testing.assert_array_equal(rounded(few, deviation_step), rounded(few, range_step))
    edge = values.reshape(-1)[:8192]
    assert len(np.unique(rounded(edge, deviation_step))) < len(np.unique(rounded(edge, range_step)))
    outlier = np.concatenate([edge, [np.float32(100 * deviation)]])
    np.testing.assert_array_equal(rounded(outlier, deviation_step), rounded(outlier, range_step))
    equal = np.full_like(values, 0.1)
    np.testing.assert_array_equal(rounded(equal, deviation_step), rounded(equal, range_step))


def test_weights_are_rounded_and_nothing_else(tiny: Recognizer, model: Path) -> None:
    loaded = Recognizer.load(model, runtime="tensorflow").network.named_weights()
    with np.load(model / "weights.npz") as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float16)}
    for name, variable in tiny.network.named_weights().items():
        expected = rounded(variable.numpy(), deviation_step).astype(np.float32)
        np.testing.assert_array_equal(loaded[name].numpy(), expected)
    tiny.save(model, "", half=False)
    exact = Recognizer.load(model, runtime="tensorflow").network.named_weights()
    for name, variable in tiny.network.named_weights().items():
        np.testing.assert_array_equal(exact[name].numpy(), variable.numpy())


def test_a_changed_shape_is_named(model: Path) -> None:
    edit(model, lambda v: v["acoustic"].update(units=9))
    with pytest.raises(ModelError, match=r"acoustic/head/kernel has shape \(16, 29\).*\(18, 29\)"):
        Recognizer.load(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(colour="red"), "model.json: colour: unknown key"),
        (lambda v: v["features"].pop("hop"), "model.json: missing key features.hop"),
        (lambda v: v["tokenizer"].update(kind="words"), "tokenizer.kind"),
        (lambda v: v.update(format=2), "format 2 is not known"),
    ],
)
def test_wrong_keys_are_named(model: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    edit(model, change)
    with pytest.raises(ConfigError, match=message):
        Recognizer.load(model)
