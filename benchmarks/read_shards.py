"""Reading training data: packed shards over loose files, and tar over TFRecord.

    python benchmarks/read_shards.py data/*/train.jsonl --utterances 20000 --out /tmp/shards

Packs the utterances (as audio and as features, 256 MB a shard), and reads an epoch as training
does: `SpeechDataset` with batches of 16, without a network, from its creation to the last batch.
Loose files and packs take turns. Before every run the disk cache is dropped, if this program runs
as root; it prints whether it was.

- audio: recordings over packed audio, without a cache of features: every recording is decoded.
- features: the feature cache of loose files (data/.features), which is full, over packed features.

The formats are compared with the same members: read by our index, by Python's tarfile, and as
TFRecord through tf.data. Prints seconds, utterances a second and ratios.
"""

import argparse
import os
import resource
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from asr.audio.features import FeatureConfig
from asr.base.tensorflow import tf
from asr.data.manifest import Utterance, write_manifest
from asr.data.packs.encoding import PackSettings
from asr.data.packs.pack_index import read_utterances
from asr.data.packs.pack_writer import write_pack
from asr.data.packs.packed_utterance import PackedUtterance, ShardFiles
from asr.networks.acoustic_config import AcousticConfig
from asr.text.tokenizers import Tokenizer, TokenizerConfig
from asr.training.speech_dataset import SpeechDataset

BATCH = 16


def drop_disk_cache() -> bool:
    """Forget files in memory; False without the right to."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def read_epoch(source: Path, cache: Path | None) -> int:
    """Read an epoch as training does; returns the number of utterances."""
    data = SpeechDataset(
        read_utterances(source),
        Tokenizer(TokenizerConfig()),
        FeatureConfig(),
        AcousticConfig(),
        None,
        1,
        cache=cache,
    )
    return sum(int(tf.shape(batch["lengths"])[0]) for batch in data.tf_dataset(0, BATCH))


def by_index(pack: Path, records: Path) -> int:
    with closing(ShardFiles()) as files:
        packed = [u for u in read_utterances(pack) if isinstance(u, PackedUtterance)]
        return len([len(u.read(files)) for u in packed])


def by_tarfile(pack: Path, records: Path) -> int:
    count = 0
    for shard in sorted(pack.glob("*.tar")):
        with tarfile.open(shard, "r|") as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None and file.read()
                count += not member.name.endswith(".json")
    return count


def by_tfrecord(pack: Path, records: Path) -> int:
    return sum(1 for _ in tf.data.TFRecordDataset([str(records)]).prefetch(64).as_numpy_iterator())


def write_tfrecord(pack: Path, records: Path) -> None:
    """The members of a pack with their texts, as TFRecord."""
    with tf.io.TFRecordWriter(str(records)) as writer, closing(ShardFiles()) as files:
        for u in read_utterances(pack):
            assert isinstance(u, PackedUtterance)
            values = {"audio": u.read(files), "text": u.text.encode()}
            feature = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for key, value in values.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def compare(runs: int, ways: dict[str, Callable[[], int]]) -> None:
    """Run each way in turn and print its times; the ratios are to the first way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cores: dict[str, list[float]] = {name: [] for name in ways}
    cold, counts = True, {}
    for _ in range(runs):
        for name, run in ways.items():
            cold &= drop_disk_cache()
            started, used = time.perf_counter(), time.process_time()
            counts[name] = run()
            seconds[name].append(time.perf_counter() - started)
            cores[name].append(time.process_time() - used)
    print(f"disk cache {'dropped' if cold else 'NOT dropped'} before each of {runs} runs")
    first = next(iter(ways))
    for name in ways:
        wall, core = statistics.median(seconds[name]), statistics.median(cores[name])
        ratio = statistics.median(a / b for a, b in zip(seconds[first], seconds[name], strict=True))
        used = statistics.median(a / b for a, b in zip(cores[first], cores[name], strict=True))
        speed = f"{wall:.1f} s, {core:.1f} core-seconds, {counts[name] / wall:.0f} a second"
        gain = f"{ratio:.2f} × {first} ({used:.2f} × by core-seconds)"
        print(f"{name:18} {counts[name]} utterances, {speed}; {gain}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--utterances", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for the packs; default: temporary")
    a = parser.parse_args()
    usable: list[Utterance] = []
    for path in a.manifests:
        usable += [u for u in read_utterances(path) if u.audio_filepath is not None]
    usable = usable[:: max(1, len(usable) // a.utterances)][: a.utterances]
    with tempfile.TemporaryDirectory() as temporary:
        out = a.out or Path(temporary)
        manifest, cache = out / "chosen.jsonl", out / "cache"
        write_manifest(manifest, usable)
        for content in ("audio", "features"):
            started = time.perf_counter()
            packed = write_pack([manifest], out / content, PackSettings(content), workers=2)
            took = time.perf_counter() - started
            print(
                f"{content}: {packed.utterances} utterances, {packed.hours:.2f} h, "
                f"{packed.size / 1e6:.0f} MB in {packed.shards} shards, packed in {took:.0f} s"
            )
        for content, folder in (("audio", None), ("features", cache)):
            print(f"\nan epoch of {content}, with batches of {BATCH}")
            if folder is not None:
                read_epoch(manifest, folder)  # fills the cache
            compare(
                a.runs,
                {
                    "loose files": lambda folder=folder: read_epoch(manifest, folder),
                    "packed shards": lambda content=content: read_epoch(out / content, None),
                },
            )
        print("\nthe bytes of packed audio, by format")
        records = out / "audio.tfrecord"
        write_tfrecord(out / "audio", records)
        ways = {
            "TFRecord, tf.data": by_tfrecord,
            "tar, tarfile": by_tarfile,
            "tar, index": by_index,
        }
        compare(a.runs, {n: lambda way=w: way(out / "audio", records) for n, w in ways.items()})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this program: {peak:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
