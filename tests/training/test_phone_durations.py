from __future__ import annotations

import numpy as np
import pytest

from asr.errors import TextError
from asr.pronunciation.pronouncer import Pronouncer
from asr.training.phone_durations import Spoken, align_symbols
from asr.tts.sentences import SILENT, one_sentence

HOP = 0.0116
LEXICON = {"see": "S IY1", "me": "M IY1", "ask": "AE1 S K", "mask": "M AE1 S K"}


def recordings(count: int, seed: int = 3) -> tuple[list[Spoken], list[np.ndarray]]:
    """Sentences whose phones each have a spectrum of their own, and how long they really last.

    The words' times are wrong by some frames, as a recogniser's are.
    """
    rng = np.random.default_rng(seed)
    spectra: dict[str, np.ndarray] = {}
    spoken, truths = [], []
    for _ in range(count):
        words = rng.choice(list(LEXICON), size=4)
        sentence = one_sentence(
            f"{words[0]} {words[1]}, {words[2]} {words[3]}.", Pronouncer(LEXICON)
        )
        truth = np.array(
            [
                (0 if s == "_" else 6) if s in SILENT else int(rng.integers(4, 12))
                for s in sentence.symbols
            ]
        )
        kinds = ["sil" if s in SILENT else s for s in np.repeat(sentence.symbols, truth)]
        for kind in sorted(set(kinds) - set(spectra)):
            spectra[kind] = np.cumsum(np.random.default_rng(len(spectra)).normal(size=80)) / 3
        frames = np.stack([spectra[k] for k in kinds]) + rng.normal(0, 0.3, [len(kinds), 80])
        ends = np.cumsum(truth)
        off = rng.integers(-5, 6, 8)
        times = tuple(
            ((ends[w.first - 1] + off[2 * j]) * HOP, (ends[w.last - 1] + off[2 * j + 1]) * HOP)
            for j, w in enumerate(sentence.words)
        )
        spoken.append(Spoken(sentence, frames.astype(np.float32), times))
        truths.append(truth)
    return spoken, truths


def test_phones_are_found_though_the_words_times_are_rough() -> None:
    spoken, truths = recordings(30)
    found = align_symbols(spoken, HOP)
    for recording, durations in zip(spoken, found, strict=True):
        assert durations.sum() == len(recording.frames)
        phones = np.array([s not in SILENT for s in recording.sentence.symbols])
        assert durations[phones].min() >= 2
    errors = np.concatenate(
        [np.abs(np.cumsum(d) - np.cumsum(t)) for d, t in zip(found, truths, strict=True)]
    )
    assert errors.mean() < 0.5 and np.percentile(errors, 95) <= 2


def test_a_word_heard_elsewhere_entirely_still_has_a_place() -> None:
    spoken, _ = recordings(3)
    wrong = Spoken(spoken[0].sentence, spoken[0].frames, ((9.0, 9.1),) * 4)
    durations = align_symbols([wrong, *spoken[1:]], HOP)[0]
    assert durations.sum() == len(wrong.frames)


def test_too_few_frames() -> None:
    spoken, _ = recordings(1)
    short = Spoken(spoken[0].sentence, spoken[0].frames[:10], spoken[0].words)
    with pytest.raises(TextError, match="10 frames are too few"):
        align_symbols([short], HOP)
