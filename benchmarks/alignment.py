"""Errors of aligned word boundaries on recordings whose true boundaries are known.

    python benchmarks/alignment.py data/fsdd/dev.jsonl data/asterisk/train.jsonl [--model en-small]

Joins recordings of single words by one speaker, trimmed at 30 dB below their loudest 5 ms: once
end to end, once with pauses of 50 to 400 ms. With `pip install espeakng-loader` it also speaks
the longer texts of the manifests with eSpeak NG, which reports the start of each word. A word
ends where the next one starts or where eSpeak NG pauses. Prints the median and the 90th
percentile of the errors of starts and ends, in ms: of the first and last spike of each word, and
of the aligner. The aligner's settings were chosen with the command above and --seed 1.
"""

import argparse
import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr import ctc
from asr.audio.mono import resample
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance, read_manifest
from asr.recognizer import load_recognizer
from asr.text.normalisers import normalise_english

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

RATE = 16_000
VOICES = ("en-us", "en-gb", "en-us+f3")
WORD, PHONEME, SYNCHRONOUS, PHONEME_EVENTS, UTF8 = 1, 7, 2, 1, 1


@dataclass(frozen=True)
class Known:
    """A recording with known boundaries.

    Attributes:
        samples: samples at `RATE`.
        text: its words.
        times: start and end of each word, in seconds.
    """

    samples: np.ndarray
    text: str
    times: tuple[tuple[float, float], ...]


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Cut off both ends where no 5 ms are within 30 dB of the loudest 5 ms."""
    step = RATE // 200
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    loud = np.flatnonzero(level > level.max() - 30)
    return samples[loud[0] * step : (loud[-1] + 1) * step]


def joined(
    utterances: Sequence[Utterance], count: int, pauses: tuple[float, float], seed: int
) -> Iterator[Known]:
    """Recordings of three to seven words by one speaker each, in faint noise."""
    rng = np.random.default_rng(seed)
    words: dict[str | None, list[Utterance]] = {}
    for u in utterances:
        if u.audio_filepath is not None and u.text.strip().isalpha() and 0.2 < u.duration < 1.6:
            words.setdefault(u.speaker, []).append(u)
    speakers = [speaker for speaker in sorted(words, key=str) if len(words[speaker]) > 2]

    def noise(low: float, high: float) -> np.ndarray:
        return rng.normal(0, 3e-4, round(rng.uniform(low, high) * RATE))

    for i in range(count if speakers else 0):
        pool = words[speakers[i % len(speakers)]]
        picked = [pool[k] for k in rng.choice(len(pool), min(len(pool), rng.integers(3, 8)))]
        pieces, times = [noise(0.1, 0.4)], []
        for u in picked:
            samples = trimmed(read_utterance(u, RATE))
            start = sum(map(len, pieces))
            times.append((start / RATE, (start + len(samples)) / RATE))
            pieces += [0.5 * samples / np.abs(samples).max(), noise(*pauses)]
        pieces.append(noise(0.1, 0.4))
        text = " ".join(u.text for u in picked)
        yield Known(np.concatenate(pieces).astype(np.float32), text, tuple(times))


class Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


def spoken(utterances: Sequence[Utterance], count: int, seed: int) -> Iterator[Known]:
    """Texts of four or more words, spoken by eSpeak NG; none if it is not installed."""
    try:
        import espeakng_loader
    except ImportError:
        print("without eSpeak NG: pip install espeakng-loader")
        return
    espeak = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate = espeak.espeak_Initialize(SYNCHRONOUS, 0, data, PHONEME_EVENTS)
    callback = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
    )
    texts = sorted({normalise_english(u.text) for u in utterances if len(u.text.split()) > 3})
    order = np.random.default_rng(seed).permutation(len(texts))[:count]
    for i, text in enumerate(texts[k] for k in order):
        chunks: list[np.ndarray] = []
        events: list[tuple[int, float, bytes]] = []

        def receive(wave, length, event, chunks=chunks, events=events) -> int:  # type: ignore[no-untyped-def]
            if length:
                chunks.append(np.ctypeslib.as_array(wave, (length,)).copy())
            while event[0].type:
                events.append((event[0].type, event[0].milliseconds / 1000, event[0].name))
                event = ctypes.cast(ctypes.byref(event[0], ctypes.sizeof(Event)), type(event))
            return 0

        held = callback(receive)
        espeak.espeak_SetSynthCallback(held)
        espeak.espeak_SetVoiceByName(VOICES[i % len(VOICES)].encode())
        encoded = text.encode()
        espeak.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, UTF8, None, None)
        starts = [time for kind, time, _ in events if kind == WORD]
        if len(starts) != len(text.split()):
            continue  # eSpeak NG joins some words, such as "of the"
        samples = np.concatenate(chunks).astype(np.float32) / 32768
        times = []
        for start, following in zip(starts, [*starts[1:], len(samples) / rate], strict=True):
            silent = (t for kind, t, name in events if kind == PHONEME and name.startswith(b"_"))
            pauses = [t for t in silent if start < t <= following]
            times.append((start, min([following, *pauses])))
        yield Known(resample(samples, rate, RATE), text, tuple(times))


def errors(recognizer: "Recognizer", known: Known) -> tuple[list[float], list[float]]:
    """Errors of all starts and ends in ms: of the spikes, and of the aligned words."""
    labels = recognizer.tokenizer.encode(known.text)
    (logits,) = recognizer.logits([recognizer.features(known.samples)[0]])
    path = ctc.align(ctc.log_softmax(logits.astype(np.float64)), labels)
    step = recognizer.seconds_per_frame
    spans = recognizer.tokenizer.word_spans(labels)
    spikes = [(path.starts[a] * step, path.ends[b - 1] * step) for a, b in spans]
    words = [(w.start, w.end) for w in recognizer.align(known.samples, known.text).words]
    true = np.array(known.times)
    return (
        list(1000 * np.abs(np.array(spikes) - true).ravel()),
        list(1000 * np.abs(np.array(words) - true).ravel()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--count", type=int, default=60, help="recordings of each kind")
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    recognizer = load_recognizer(a.model)
    sets = {str(manifest): read_manifest(manifest) for manifest in a.manifests}
    everything = [u for utterances in sets.values() for u in utterances]
    kinds = {
        f"{name}, {kind}": list(joined(utterances, a.count, pauses, a.seed + i))
        for name, utterances in sets.items()
        for i, (kind, pauses) in enumerate({"joined": (0, 0), "pauses": (0.05, 0.4)}.items())
    }
    kinds["eSpeak NG"] = list(spoken(everything, a.count, a.seed))
    print(f"{a.model} {recognizer.config.weights_sha256[:8]}, seed {a.seed}; median / 90 % in ms")
    total: tuple[list[float], list[float]] = [], []
    for name, recordings in kinds.items():
        both: tuple[list[float], list[float]] = [], []
        for known in recordings:
            for kept, new in zip(both, errors(recognizer, known), strict=True):
                kept.extend(new)
        if both[0]:
            print(line(name, both))
        for kept, new in zip(total, both, strict=True):
            kept.extend(new)
    print(line("all", total))


def line(name: str, both: tuple[list[float], list[float]]) -> str:
    spikes, words = (f"{np.median(e):.0f} / {np.percentile(e, 90):.0f}" for e in both)
    return f"{name}: {len(both[0])} boundaries, spikes {spikes}, aligned {words}"


if __name__ == "__main__":
    main()
