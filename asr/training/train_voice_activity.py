"""Training of the network that finds voices (`asr.decoding.voice_activity`).

`pipelines/train_voice_activity.py` runs it. Sounds are made beside the recorded ones: coloured
noise, hum, tones, dialling, sweeps, clicks, barks, melodies and chords.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr.audio.augmentation import add_noise, telephone
from asr.audio.features import FeatureConfig, mfcc
from asr.audio.find_audio import find_audio
from asr.audio.reading import read_audio
from asr.base.progress import track
from asr.base.tensorflow import keras
from asr.data.inputs import read_utterance
from asr.data.manifest import read_manifest
from asr.decoding.speech_detector import SpeechDetector, true_runs
from asr.decoding.voice_activity import HOP, LAYERS
from asr.errors import AsrError

CONFIG = FeatureConfig()
RATE = CONFIG.sample_rate
SIZES = ((32, 8), (48, 5), (48, 7), (48, 5), (1, 1))
"""Filters and width of each convolution."""
FRAMES = 400
"""Feature frames in a training example: 4 s."""


def noise_clips(rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Made sounds without a voice, float32 [4 s]."""
    time = np.arange(4 * RATE) / RATE
    white = rng.standard_normal
    for i in range(count):
        level = 10 ** rng.uniform(-2.5, -0.3)
        kind = i % 10
        if kind == 0:  # coloured noise, sometimes swelling
            x = add_noise(np.full(len(time), 1e-3, np.float32), -60, rng.uniform(0, 2), rng)
            x *= 1 + rng.uniform(0, 0.9) * np.sin(2 * np.pi * rng.uniform(0.1, 6) * time)
        elif kind == 1:  # hum of the mains
            base = rng.choice([50, 60, 100, 120])
            harmonics = (
                rng.uniform(0, 1) / k * np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6))
                for k in range(1, rng.integers(3, 30))
            )
            x = sum(harmonics, 0 * time)
            x = x + rng.uniform(0, 0.1) * white(len(time))
        elif kind == 2:  # one to three tones, steady or interrupted
            pitches = rng.uniform(100, 4000, rng.integers(1, 4))
            x = sum((np.sin(2 * np.pi * pitch * time) for pitch in pitches), 0 * time)
            on, off = rng.uniform(0.05, 2, 2)
            x = x * ((time % (on + off) < on) if rng.random() < 0.6 else 1)
        elif kind == 3:  # dialling
            x = np.zeros(len(time))
            for start in np.arange(rng.uniform(0, 1), 4, rng.uniform(0.1, 0.5)):
                now = (time >= start) & (time < start + 0.08)
                low, high = rng.choice([697, 770, 852, 941]), rng.choice([1209, 1336, 1477])
                x += now * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time))
        elif kind == 4:  # sweeps and sirens
            rate, low, high = rng.uniform(0.1, 5), rng.uniform(200, 800), rng.uniform(900, 4000)
            pitch = low + (high - low) * (0.5 + 0.5 * np.sin(2 * np.pi * rate * time))
            x = np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
        elif kind == 5:  # clicks, keys, drops
            x = np.zeros(len(time))
            x[rng.integers(0, len(time), rng.integers(1, 60))] = rng.uniform(0.2, 1)
            x = np.convolve(x, np.exp(-np.arange(400) / rng.uniform(5, 100)) * white(400), "same")
        elif kind in (6, 7):  # barks: short harmonic bursts with noise
            x = np.zeros(len(time))
            for start in np.arange(rng.uniform(0, 1), 3.7, rng.uniform(0.25, 1.5)):
                n = int(RATE * rng.uniform(0.08, 0.25))
                t = np.arange(n) / RATE
                pitch = rng.uniform(250, 900) * (1 + 0.5 * np.sin(np.pi * np.arange(n) / n))
                phase = 2 * np.pi * np.cumsum(pitch) / RATE
                burst = sum(np.sin(k * phase) / k for k in range(1, 8)) + 0.7 * white(n)
                at = int(start * RATE)
                x[at : at + n] += burst * np.sin(np.pi * np.arange(n) / n) ** 0.5 * np.exp(-4 * t)
        elif kind == 8:  # a melody whose notes end where the next one begins
            length = rng.uniform(0.1, 0.6)
            notes = rng.uniform(100, 500) * 2 ** (rng.integers(0, 24, int(4 / length) + 1) / 12)
            phase = 2 * np.pi * np.cumsum(notes[(time / length).astype(int)]) / RATE
            steps = range(1, rng.integers(2, 12), rng.integers(1, 3))
            x = sum((np.sin(k * phase) / k ** rng.uniform(0.5, 2) for k in steps), 0 * time)
            x *= np.exp(-(time % length) * rng.uniform(0, 8))
        else:  # chords of plucked or blown notes
            x = np.zeros(len(time))
            length = rng.uniform(0.12, 0.8)
            for start in np.arange(0, 4, length):
                for _ in range(rng.integers(1, 4)):
                    note = 110 * 2 ** (rng.integers(0, 36) / 12)
                    t = time - start
                    shape = np.where(t > 0, np.exp(-t * rng.uniform(0.5, 8)), 0)
                    partials = rng.integers(1, 8)
                    phase = 2 * np.pi * note * t
                    x += shape * sum(np.sin(k * phase) / k**1.3 for k in range(1, partials + 1))
        yield (level * x / (np.abs(x).max() + 1e-9)).astype(np.float32)


def pieces(path: Path, rng: np.random.Generator) -> list[np.ndarray]:
    """Pieces of 4 s of the first minute of a recording; a short one also at other speeds and
    repeated. None, and a line on stderr, if it cannot be read."""
    try:
        samples = read_audio(path, RATE, warn=lambda message: None)[: 60 * RATE]
    except AsrError as error:
        print(f"left out: {error}", file=sys.stderr)
        return []
    if len(samples) > 3 * RATE:
        cut = [samples[i : i + 4 * RATE] for i in range(0, len(samples), 4 * RATE)]
        return [piece for piece in cut if len(piece) > RATE // 5]
    found = [samples]
    for speed in rng.uniform(0.6, 1.6, 5):
        times = np.arange(0, len(samples) - 1, speed)
        faster = np.interp(times, np.arange(len(samples)), samples).astype(np.float32)
        pause = rng.normal(0, 1e-4, rng.integers(0, RATE)).astype(np.float32)
        found.append(np.tile(np.concatenate([faster, pause]), 8)[: 4 * RATE])
    return [piece for piece in found if len(piece) > RATE // 5]


class LabelledCepstra(NamedTuple):
    """Static cepstra, [frames, coefficients]; label and weight of each frame, float32 [frames]."""

    static: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def speech_labels(static: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label and weight of each feature frame of speech: loud frames are voice, long pauses not."""
    levels = SpeechDetector()(static)
    weight = levels.speech.astype(np.float32)
    quiet = ~levels.speech
    for run in true_runs(quiet):
        if run.length >= 100:
            weight[run.start + 40 : run.end - 40] = 0.5
    return levels.speech.astype(np.float32), weight


def crop(example: LabelledCepstra, rng: np.random.Generator) -> LabelledCepstra:
    """`FRAMES` frames at a random place, padded with weight 0."""
    static, labels, weights = example
    start = rng.integers(0, max(1, len(static) - FRAMES + 1))
    part = slice(start, start + FRAMES)
    missing = FRAMES - len(static[part])
    x = np.pad(static[part], ((0, missing), (0, 0)), mode="edge")
    x[:, 0] += rng.uniform(-3, 3)  # gain
    return LabelledCepstra(
        x, np.pad(labels[part], (0, missing)), np.pad(weights[part], (0, missing))
    )


def network(coefficients: int) -> keras.Model:
    """The network of `VoiceActivity`, trainable."""
    layers = keras.layers
    x = inputs = layers.Input([None, coefficients])
    for (filters, width), (stride, dilation) in zip(SIZES, LAYERS, strict=True):
        reach = (width - 1) * dilation
        before = (reach - stride + 1) // 2
        after = reach - stride + 1 - before
        x = layers.ZeroPadding1D((before, after))(x)
        last = filters == 1
        x = layers.Conv1D(
            filters,
            width,
            strides=stride,
            dilation_rate=dilation,
            activation="linear" if last else "relu",
        )(x)
    return keras.Model(inputs, x)


def train_voice_activity(
    manifests: Sequence[Path], folders: Sequence[Path], utterances_each: int, epochs: int, seed: int
) -> dict[str, np.ndarray]:
    """Train the network; returns the weights as `VoiceActivity` takes them, float16.

    Args:
        manifests: speech.
        folders: sounds without a voice. Files that cannot be read are named on stderr.
        utterances_each: utterances of each manifest at most, chosen by the seed.
        epochs: number of epochs, of 60 batches of 64 examples of 4 s.
        seed: seed of all random choices.
    """
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    noise: list[np.ndarray] = []
    shares: list[float] = []
    for folder in track(folders, len(folders), "noise"):
        sounds = [sound for path in find_audio([str(folder)]) for sound in pieces(path, rng)]
        noise += sounds
        shares += [1 / len(sounds)] * len(sounds)  # else music, which is long, would be all
    print(f"{len(noise)} recorded noises")
    recorded = len(noise)
    noise += noise_clips(rng, 1500)
    share = np.array([*shares, *[4 / 1500] * 1500])

    examples: list[LabelledCepstra] = []
    for samples in track(noise, len(noise), "features of noise"):
        static = mfcc(samples, CONFIG, "noise")
        zeros = np.zeros(len(static), np.float32)
        examples.append(LabelledCepstra(static, zeros, zeros + 1))
    chosen = []
    for manifest in manifests:
        utterances = [u for u in read_manifest(manifest) if u.audio_filepath is not None]
        picked = rng.permutation(len(utterances))[:utterances_each]
        chosen += [utterances[i] for i in picked]
    for utterance in track(chosen, len(chosen), "features of speech"):
        samples = read_utterance(utterance, RATE)
        static = mfcc(samples, CONFIG, utterance.name)
        labels, weights = speech_labels(static)
        examples.append(LabelledCepstra(static, labels, weights))
        # The same speech in noise keeps its labels where it is loud, and has no pauses.
        other = noise[rng.integers(0, recorded if rng.random() < 0.7 else len(noise))]
        other = np.resize(other, len(samples))
        ratio = np.sqrt(np.mean(samples**2) / (np.mean(other**2) + 1e-9))
        mixed = samples + other * ratio * 10 ** (-rng.uniform(3, 25) / 20)
        if rng.random() < 0.3:
            mixed = telephone(mixed.astype(np.float32), RATE, companding=True)
        static = mfcc(mixed.astype(np.float32), CONFIG, utterance.name)
        labels = labels[: len(static)]  # resampling may drop the last sample
        examples.append(LabelledCepstra(static[: len(labels)], labels, labels))
    every = np.concatenate([example.static for example in examples])
    mean, scale = every.mean(axis=0), every.std(axis=0)
    voices = np.array([example.labels.any() for example in examples])
    # Half of the noise by recordings and half by folders.
    odds = np.where(voices, 1 / voices.sum(), 1 / (~voices).sum()) / 4
    odds[voices] *= 2
    odds[: len(noise)] += share / share.sum() / 4
    odds /= odds.sum()
    print(f"{voices.sum()} examples of speech, {(~voices).sum()} of noise")

    model = network(CONFIG.coefficients)
    steps = 60
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * steps)
    model.compile(keras.optimizers.Adam(rate), keras.losses.BinaryCrossentropy(from_logits=True))
    for epoch in track(range(epochs), epochs, "training"):
        picked = rng.choice(len(examples), steps * 64, p=odds)
        crops = [crop(examples[i], rng) for i in picked]
        x, y, w = (np.stack(part) for part in zip(*crops, strict=True))
        # One decision per HOP frames.
        y = y.reshape(len(y), -1, HOP).max(axis=2)[..., None]
        w = w.reshape(len(w), -1, HOP).max(axis=2)
        history = model.fit((x - mean) / scale, y, sample_weight=w, batch_size=64, verbose=0)
        print(f"epoch {epoch + 1}/{epochs}  loss {history.history['loss'][0]:.4f}", flush=True)
    arrays = {"mean": mean, "scale": scale}
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv1D)]
    for i, layer in enumerate(convolutions):
        arrays[f"kernel_{i}"], arrays[f"bias_{i}"] = (np.asarray(v) for v in layer.weights)
    return {name: array.astype(np.float16) for name, array in arrays.items()}
