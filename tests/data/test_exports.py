"""Manifests are exported, read by the other toolkit's own package, and prepared back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from asr.audio.reading import read_audio
from asr.cli.app import app
from asr.data.corpora import prepare
from asr.data.exports import EXPORTS, export
from asr.data.exports.exportable import WHITE_SPACE
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.errors import ConfigError, ManifestError, OutputError

RATE = 8000
SECONDS = 2.0
NEEDS_TORCH = "lhotse is not installed: it needs PyTorch, which is too large for every test run"


def need(to: str) -> None:
    if to == "hf":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra datasets")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Recordings of 2 s at 8 kHz: name → file."""
    folder = tmp_path_factory.mktemp("audio with space")
    rng = np.random.default_rng(0)
    kinds = {"a b.wav": 1, "stereo.wav": 2, "größe.flac": 1, "x/a b.wav": 1}
    found = {}
    for name, channels in kinds.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        values = rng.integers(-9999, 9999, (round(SECONDS * RATE), channels), np.int16)
        soundfile.write(path, values, RATE)
        found[name] = path
    yield found


NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\ufeff"),
    min_size=1, max_size=8,
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda t: f"a{t}b")
OFFSETS = st.none() | st.integers(0, 1_500_000).map(lambda n: n / 1e6)


@st.composite
def manifests(draw: Any) -> list[dict[str, Any]]:
    ids = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    lines = []
    for id in ids:
        name = draw(st.sampled_from(["a b.wav", "stereo.wav", "größe.flac", "x/a b.wav"]))
        offset = draw(OFFSETS)
        duration = SECONDS
        if offset is not None:
            duration = draw(st.integers(100_000, round((SECONDS - offset) * 1e6))) / 1e6
        lines.append({
            "name": name, "id": draw(st.sampled_from([id, None])), "text": draw(TEXTS),
            "duration": duration, "offset": offset, "speaker": draw(st.none() | NAMES),
            "language": draw(st.sampled_from([None, "de"])),
            "channel": draw(st.sampled_from([None, 0, 1])) if name == "stereo.wav" else None,
        })  # fmt: skip
    return lines


@pytest.mark.parametrize("to", EXPORTS)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(lines=manifests())
def test_an_export_prepared_again_has_the_same_utterances(
    recordings: dict[str, Path], to: str, lines: list[dict[str, Any]]
) -> None:
    need(to)
    utterances = [
        Utterance(
            audio_filepath=recordings[line["name"]],
            **{k: v for k, v in line.items() if k != "name"},
        )
        for line in lines
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_manifest(folder / "train.jsonl", utterances)
        exported = export(to, [folder / "train.jsonl"], folder / "exported")
        assert exported.counts == {"train": len(utterances)} and exported.skipped == ()
        prepared = prepare(to, folder / "exported", folder / "out")
        assert prepared.skipped == ()
        found = read_manifest(folder / "out/train.jsonl")
        assert len(found) == len({u.id for u in found}) == len(utterances)
        by_id = {u.id: u for u in found}
        named = [u for u in utterances if u.id is not None]
        unnamed = [u for u in utterances if u.id is None]
        others = sorted((u for u in found if u.id not in {u.id for u in named}), key=repr)
        pairs = [(u, by_id[u.id]) for u in named]
        for wanted in unnamed:  # their ids are new
            match = next(u for u in others if same(wanted, u, to))
            others.remove(match)
        assert others == []
        for wanted, got in pairs:
            assert same(wanted, got, to), (wanted, got)


def same(wanted: Utterance, got: Utterance, to: str) -> bool:
    text = WHITE_SPACE.sub(" ", wanted.text) if to == "kaldi" else wanted.text
    speaker = wanted.speaker
    if to == "kaldi" and speaker == got.id:
        speaker = None
    if (text, speaker, wanted.language) != (got.text, got.speaker, got.language):
        return False
    if to == "hf":  # segments are recordings of their own there
        samples, kept = (read_utterance(u, RATE) for u in (wanted, got))
        return len(samples) == len(kept) and bool(np.abs(samples - kept).max() < 1e-6)
    return (
        wanted.path.resolve() == got.path.resolve()
        and wanted.channel == got.channel
        and abs((wanted.offset or 0.0) - (got.offset or 0.0)) <= 1e-6
        and abs(wanted.duration - got.duration) <= 1.1e-6
    )


@pytest.fixture
def manifest(tmp_path: Path, recordings: dict[str, Path]) -> Path:
    """A manifest with whole recordings, segments and channels."""
    mono, stereo, flac, _ = recordings.values()
    path = tmp_path / "train.jsonl"
    write_manifest(
        path,
        [
            Utterance("go forward", SECONDS, mono, "anna", id="anna-1", language="en"),
            Utterance("ten meters", 0.75, stereo, "ben", offset=0.5, channel=1, id="ben-1"),
            Utterance("stop", 1.0, mono, "anna", offset=1.0, id="anna-2"),
            Utterance("go on", SECONDS, flac),
        ],
    )
    return path


def test_kaldi_files_are_sorted_and_absolute(
    tmp_path: Path, manifest: Path, recordings: dict[str, Path]
) -> None:
    exported = export("kaldi", [manifest], tmp_path / "data")
    assert exported.notes == ()
    mono, stereo, flac, _ = recordings.values()
    read = {
        path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "data/train").iterdir()
    }
    assert read == {
        "wav.scp": f"a_b {mono}\n"
        f"größe ffmpeg -nostdin -v error -i '{flac}' -f wav - |\n"
        f"stereo ffmpeg -nostdin -v error -i '{stereo}' -af 'pan=mono|c0=c1' -f wav - |\n",
        "segments": "anna-1 a_b 0.000000 2.000000\nanna-2 a_b 1.000000 2.000000\n"
        "ben-1 stereo 0.500000 1.250000\ngröße größe 0.000000 2.000000\n",
        "text": "anna-1 go forward\nanna-2 stop\nben-1 ten meters\ngröße go on\n",
        "utt2spk": "anna-1 anna\nanna-2 anna\nben-1 ben\ngröße größe\n",
        "spk2utt": "anna anna-1 anna-2\nben ben-1\ngröße größe\n",
        "utt2dur": "anna-1 2.000000\nanna-2 1.000000\nben-1 0.750000\ngröße 2.000000\n",
        "utt2lang": "anna-1 en\nanna-2 und\nben-1 und\ngröße und\n",
    }


def test_white_space_in_names_is_written_as_underscores_and_named(
    tmp_path: Path, recordings: dict[str, Path]
) -> None:
    path = recordings["a b.wav"]
    utterances = [Utterance("x", SECONDS, path, "Anna B", id="u 1"), Utterance("y", SECONDS, path)]
    write_manifest(tmp_path / "train.jsonl", utterances)
    exported = export("kaldi", [tmp_path / "train.jsonl"], tmp_path / "data")
    assert (tmp_path / "data/train/utt2spk").read_text() == "a_b a_b\nu_1 Anna_B\n"
    ids, speakers, order = exported.notes
    assert "1 id(s) with white space" in ids and "'u 1'" in ids
    assert "1 speaker(s)" in speakers and "'Anna B'" in speakers
    assert "do not begin with their speaker" in order
    clash = replace(utterances[0], speaker="Anna_B", id="u_1")
    write_manifest(tmp_path / "clash.jsonl", [utterances[0], clash])
    with pytest.raises(ManifestError, match="the ids 'u 1' and 'u_1' would both be u_1"):
        export("kaldi", [tmp_path / "clash.jsonl"], tmp_path / "other")


@pytest.mark.parametrize("to", EXPORTS)
def test_what_cannot_be_written_is_named(
    tmp_path: Path, recordings: dict[str, Path], to: str
) -> None:
    need(to)
    path = recordings["a b.wav"]
    write_manifest(
        tmp_path / "train.jsonl",
        [
            Utterance("features", 1.0, feature_filepath=tmp_path / "x.mfc"),
            Utterance(" ", 1.0, path),
            Utterance("gone", 1.0, tmp_path / "gone.wav"),
            Utterance("late", 1.0, path, offset=1.5),
            Utterance("channel", SECONDS, path, channel=1),
            Utterance("good", SECONDS, path),
            Utterance("again", SECONDS, path),
        ],
    )
    exported = export(to, [tmp_path / "train.jsonl"], tmp_path / "out")
    assert exported.counts == {"train": 2}
    for message, reason in zip(
        exported.skipped,
        (
            "only features",
            "no transcript",
            "gone.wav: no such file",
            "no such segment",
            "no channel 1",
        ),
        strict=True,
    ):
        assert message.startswith(f"{tmp_path / 'train.jsonl'}: ") and reason in message
    prepare(to, tmp_path / "out", tmp_path / "back")
    found = [(u.id, u.text) for u in read_manifest(tmp_path / "back/train.jsonl")]
    assert found == [("a_b-2", "good"), ("a_b-3", "again")]  # a_b has no transcript


def test_errors_name_the_file(tmp_path: Path, recordings: dict[str, Path]) -> None:
    path, other = recordings["a b.wav"], recordings["stereo.wav"]
    manifest = tmp_path / "train.jsonl"
    write_manifest(
        manifest, [Utterance("x", 2.0, path, id="u"), Utterance("y", 2.0, other, id="u")]
    )
    with pytest.raises(
        ManifestError, match=r"train\.jsonl: id 'u' occurs twice: .*a b\.wav and .*stereo"
    ):
        export("kaldi", [manifest], tmp_path / "out")
    write_manifest(manifest, [Utterance("", 2.0, path)])
    with pytest.raises(
        ManifestError, match=r"train\.jsonl: no utterance can be written\n.*no transcript"
    ):
        export("lhotse", [manifest], tmp_path / "out")
    write_manifest(manifest, [Utterance("x", 2.0, path)])
    with pytest.raises(ManifestError, match="another manifest is called train"):
        export("lhotse", [manifest, manifest], tmp_path / "out")
    with pytest.raises(ConfigError, match="--to nemo: unknown; known: kaldi, lhotse, hf"):
        export("nemo", [manifest], tmp_path / "out")
    with pytest.raises(OutputError, match=r"--out .*exists already"):
        export("kaldi", [manifest], tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_command_exports_and_prepares(tmp_path: Path, manifest: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["data", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    out = run("export", str(manifest), "--to", "kaldi", "--out", str(tmp_path / "data"))
    assert "train: 4 utterances" in out
    back = ("--source", str(tmp_path / "data"), "--out", str(tmp_path / "back"))
    assert "train: 4 utterances" in run("prepare", "kaldi", *back)
    assert "4" in run("check", str(tmp_path / "back/train.jsonl"))


def expected_samples(utterance: Utterance) -> np.ndarray:
    return read_utterance(utterance, RATE)


def test_kaldiio_reads_the_export(tmp_path: Path, recordings: dict[str, Path]) -> None:
    kaldiio = pytest.importorskip("kaldiio", reason="kaldiio is not installed: the extra dev")
    path = recordings["a b.wav"]
    for name, segments in (("whole", [None]), ("cut", [0.25, 1.0])):
        utterances = [
            Utterance("x", 2.0 - (s or 1.0) if s else 2.0, path, offset=s) for s in segments
        ]
        write_manifest(tmp_path / f"{name}.jsonl", utterances)
        export("kaldi", [tmp_path / f"{name}.jsonl"], tmp_path / f"out-{name}")
        folder = tmp_path / f"out-{name}" / name
        options = {"segments": str(folder / "segments")} if name == "cut" else {}
        found = kaldiio.load_scp(str(folder / "wav.scp"), **options)
        assert len(found) == len(utterances)
        wanted = sorted((expected_samples(u) for u in utterances), key=len)
        for (rate, samples), reference in zip(
            sorted(found.values(), key=lambda pair: len(pair[1])), wanted, strict=True
        ):
            assert rate == RATE
            np.testing.assert_allclose(samples / 2**15, reference, atol=1e-6)


def test_lhotse_reads_both_exports(tmp_path: Path, manifest: Path) -> None:
    lhotse = pytest.importorskip("lhotse", reason=NEEDS_TORCH)
    export("lhotse", [manifest], tmp_path / "lists")
    recordings = lhotse.load_manifest(tmp_path / "lists/recordings_train.jsonl.gz")
    supervisions = lhotse.load_manifest(tmp_path / "lists/supervisions_train.jsonl.gz")
    lhotse.qa.validate_recordings_and_supervisions(recordings, supervisions)
    cuts = lhotse.CutSet.from_manifests(recordings, supervisions)
    wanted = {u.id or "größe": u for u in read_manifest(manifest)}
    found = {}
    for cut in cuts.trim_to_supervisions(keep_overlapping=False):
        (supervision,) = cut.supervisions
        found[supervision.id] = supervision
        utterance = wanted[supervision.id]
        assert (supervision.text, supervision.speaker) == (utterance.text, utterance.speaker)
        audio = cut.load_audio()
        np.testing.assert_allclose(audio[0], expected_samples(utterance), atol=1e-6)
    assert found.keys() == wanted.keys() and found["anna-1"].language == "en"
    if shutil.which("ffmpeg") is None:  # only files that Kaldi reads without a program
        del wanted["größe"], wanted["ben-1"]
        write_manifest(manifest, list(wanted.values()))
    export("kaldi", [manifest], tmp_path / "data")
    _, loaded, _ = lhotse.kaldi.load_kaldi_data_dir(
        tmp_path / "data/train", sampling_rate=RATE, use_reco2dur=False
    )
    assert {(s.id, s.text, s.start, s.duration) for s in loaded} == {
        (id, u.text, u.offset or 0.0, u.duration) for id, u in wanted.items()
    }


def test_datasets_reads_the_export(tmp_path: Path, manifest: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: the extra dev")
    write_manifest(tmp_path / "dev.jsonl", read_manifest(manifest)[:1])
    export("hf", [manifest, tmp_path / "dev.jsonl"], tmp_path / "set")
    loaded = datasets.load_from_disk(str(tmp_path / "set"))
    assert set(loaded) == {"train", "dev"} and len(loaded["dev"]) == 1
    train = loaded["train"]
    assert isinstance(train.features["audio"], datasets.Audio)
    wanted = {u.id or "größe": u for u in read_manifest(manifest)}
    train = train.cast_column("audio", datasets.Audio(decode=False))
    for row in train:
        utterance = wanted.pop(row["id"])
        assert (row["text"], row["speaker"], row["duration"]) == (
            utterance.text, utterance.speaker, utterance.duration
        )  # fmt: skip
        file = tmp_path / row["audio"]["path"]
        file.write_bytes(row["audio"]["bytes"])
        np.testing.assert_array_equal(read_audio(file, RATE), expected_samples(utterance))
    assert wanted == {}
    assert loaded["dev"]._fingerprint != train._fingerprint


def test_large_sets_are_written_in_several_files(
    tmp_path: Path, recordings: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("hf")
    from asr.data.exports import hf_export

    size = recordings["a b.wav"].stat().st_size
    monkeypatch.setattr(hf_export, "SHARD_BYTES", 2 * size)
    monkeypatch.setattr(hf_export, "BATCH_BYTES", size)
    path = recordings["a b.wav"]
    write_manifest(tmp_path / "train.jsonl", [Utterance(f"t{i}", 2.0, path) for i in range(5)])
    export("hf", [tmp_path / "train.jsonl"], tmp_path / "set")
    files = sorted(p.name for p in (tmp_path / "set/train").glob("*.arrow"))
    assert files == [f"data-{i:05}.arrow" for i in range(3)]
    assert prepare("hf", tmp_path / "set", tmp_path / "out").counts == {"train": 5}
    texts = [u.text for u in read_manifest(tmp_path / "out/train.jsonl")]
    assert texts == [f"t{i}" for i in range(5)]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_the_pipes_of_an_export_decode_the_channel_or_the_mix(
    tmp_path: Path, recordings: dict[str, Path]
) -> None:
    kaldiio = pytest.importorskip("kaldiio", reason="kaldiio is not installed: the extra dev")
    _, stereo, flac, _ = recordings.values()
    utterances = [
        Utterance("x", SECONDS, stereo, channel=1, id="channel"),
        Utterance("x", SECONDS, stereo, id="mix"),
        Utterance("x", SECONDS, flac, id="flac"),
    ]
    write_manifest(tmp_path / "train.jsonl", utterances)
    export("kaldi", [tmp_path / "train.jsonl"], tmp_path / "data")
    found = kaldiio.load_scp(str(tmp_path / "data/train/wav.scp"))
    for utterance in utterances:
        rate, samples = found[utterance.id]
        assert rate == RATE
        np.testing.assert_allclose(samples / 2**15, expected_samples(utterance), atol=2 / 2**15)
