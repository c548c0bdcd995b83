"""Round trips: the intelligibility of the shipped voice, and mel cepstral distortion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from asr.audio.reading import read_audio
from asr.data.manifest import Utterance
from asr.decoding.decoding_options import Decoding
from asr.errors import AudioError, ConfigError
from asr.evaluation.error_rates import evaluate
from asr.evaluation.judges.judge import SAMPLE_RATE, JudgedTranscript, Rating
from asr.evaluation.judges.listener import recognizer_listener
from asr.evaluation.round_trip import (
    MeanOpinion,
    RoundTrip,
    SystemResult,
    check_peers,
    installed_peers,
    mcd,
    round_trip,
    round_trip_text,
)
from asr.models import MODELS
from asr.recognizer import Recognizer
from asr.results import Transcript
from asr.tts.mel import MelConfig
from asr.tts.synthesizer import Synthesizer
from asr.tts.voice_network import load_voice_network

SENTENCES = (
    "The boat was ready by the morning.",
    "Nobody had seen her since the summer.",
    "He took the letter and walked away.",
    "There were seven houses on the hill.",
    "We shall wait until the rain is over.",
)
"""Sentences that are in no training corpus."""


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    return Synthesizer.load("en-kathleen")


@pytest.mark.slow
def test_mel_cepstral_distortion(goforward: Path) -> None:
    mel = MelConfig()
    samples = read_audio(goforward, mel.sample_rate)
    assert mcd(samples, samples, mel) == 0
    # Loudness and silence at the ends do not count.
    around = np.concatenate([np.zeros(9000, np.float32), 0.5 * samples, np.zeros(500, np.float32)])
    assert mcd(around, samples, mel) < 1
    noise = np.random.default_rng(1).normal(0, 0.1, len(samples)).astype(np.float32)
    assert mcd(noise, samples, mel) > 10


class Deaf:
    """A recogniser that hears nothing but the first word."""

    name = "deaf"

    def judge(self, samples: np.ndarray, text: str) -> JudgedTranscript:
        assert samples.dtype == np.float32 and np.abs(samples).max() <= 1
        return JudgedTranscript(text, text.split()[0])


class ByLength:
    """A predictor that likes long recordings."""

    name = "by length"

    def judge(self, samples: np.ndarray, text: str) -> Rating:
        return Rating(min(5.0, len(samples) / SAMPLE_RATE))


def test_judges_hear_the_recordings_and_the_voice(voice: Synthesizer, goforward: Path) -> None:
    greedy = recognizer_listener(Recognizer.load("en-small", Decoding(lm="none")))
    judges = [greedy, Deaf(), ByLength()]
    # The natural recording is the same for all sentences, because only the voice is tested.
    utterances = [Utterance(text, 2.786, audio_filepath=goforward) for text in SENTENCES]
    voices = {"en-kathleen": voice, "again": voice}
    result = round_trip(voices, judges, [*utterances, utterances[0]])
    natural, ours, again = result.systems
    assert (natural.system, ours.system, again.system) == ("natural", "en-kathleen", "again")
    assert again.mcd == ours.mcd and again.opinions == ours.opinions
    assert (natural.recordings, ours.recordings, result.sentences) == (6, 5, 5)
    assert natural.rtf is None and ours.rtf is not None and 0 < ours.rtf < 3
    assert natural.mcd is None and ours.mcd is not None and ours.mcd > 3
    assert ours.errors["en-small, none"].cer <= GATE
    assert natural.errors["en-small, none"].cer > 0.5
    words = sum(len(text.split()) for text in SENTENCES)
    assert ours.errors["deaf"].deletions == words - 5 and ours.errors["deaf"].words == words
    opinion = natural.opinions["by length"]
    assert opinion.mean == pytest.approx(2.786, abs=1e-3)
    assert opinion.interval == (opinion.mean, opinion.mean)  # all ratings are equal
    spoken = ours.opinions["by length"]
    assert spoken.interval[0] < spoken.mean < spoken.interval[1]


def test_peers_are_checked_before_the_voice_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="--peers: 'siri' is unknown; choose flite, "):
        check_peers(["flite", "siri"])
    with pytest.raises(AudioError, match="not installed: espeak-ng, flite; apt-get install them"):
        check_peers(["flite", "kokoro"])
    assert installed_peers() == []


def test_the_report_has_a_row_for_each_system_and_columns_for_each_judge() -> None:
    heard = evaluate(
        [Utterance("go forward ten meters", 1.0, audio_filepath=Path("a"))],
        [Transcript("go for ten meters", 0.0, 1.0)],
        str,
    )
    opinion = MeanOpinion.of([3.0, 4.0, 5.0])
    assert opinion.mean == 4 and 3 <= opinion.interval[0] < 4 < opinion.interval[1] <= 5
    systems = tuple(
        SystemResult(name, 1, rtf, distance, {"whisper-base": heard}, {"DNSMOS": opinion})
        for name, rtf, distance in (("natural", None, None), ("mine", 0.0371, 4.2))
    )
    result = RoundTrip(systems, 1)
    text = round_trip_text(result).splitlines()
    low, high = opinion.interval
    assert text[0] == "1 sentences"
    assert text[2].split() == ["whisper-base", "DNSMOS"]
    assert text[3].split() == ["system", "RTF", "MCD", "dB", "WER", "CER", "MOS", "95", "%"]
    rates = ["25.00%", "19.05%", "4.00", f"{low:.2f}–{high:.2f}"]
    assert text[4].split() == ["natural", *rates]
    assert text[5].split() == ["mine", "0.037", "4.20", *rates]
    values = json.loads(json.dumps(systems[1].to_dict()))
    assert (values["rtf"], values["mcd"]) == (0.0371, 4.2)
    assert values["errors"]["whisper-base"]["wer"] == 0.25
    assert values["opinions"]["DNSMOS"]["ratings"] == [3.0, 4.0, 5.0]


GATE = 0.2
"""Largest character error rate of the voice on SENTENCES: above the rate when it was chosen."""


def test_shipped_voice_is_small_and_documented(voice: Synthesizer) -> None:
    folder = MODELS / "en-kathleen"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 20e6
    training = voice.config.training
    assert training["commit"] and "dirty" not in training["commit"]
    assert training["command"] in (folder / "README.md").read_text()
    network = load_voice_network(MODELS / "en-kathleen", voice.config)
    assert network.count_params() < 10e6
    assert len(voice.pronounce.lexicon) > 120_000
