"""SSML: what is obeyed, what is named, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import TextError
from asr.pronunciation.pronouncer import Pronouncer
from asr.tts.ipa import phones_of_arpabet, phones_of_ipa
from asr.tts.marked_text import Prosody
from asr.tts.sentences import Sentence, sentences
from asr.tts.ssml import BREAKS, MAX_DEPTH, read_markup
from asr.tts.synthesizer import PAUSE, Synthesizer

LEXICON = {
    "the": "DH AH0",
    "end": "EH1 N D",
    "a": "AH0",
    "b": "B IY1",
    "five": "F AY1 V",
    "sun": "S AH1 N",
    "is": "IH1 Z",
    "less": "L EH1 S",
    "than": "DH AE1 N",
    "six": "S IH1 K S",
    "tomato": "T AH0 M EY1 T OW0",
}
PRONOUNCE = Pronouncer(LEXICON)


def read(content: str) -> list[Sentence]:
    return list(sentences(read_markup(f"<speak>{content}</speak>"), PRONOUNCE))


def said(content: str) -> str:
    return " | ".join(sentence.text for sentence in read(content))


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    return Synthesizer.load("en-kathleen", threads=1)


def test_a_document_has_a_declaration_namespaces_comments_and_entities() -> None:
    text = (
        '\n<?xml version="1.0" encoding="UTF-8"?>\n<speak version="1.1" xml:lang="en-US" '
        'xmlns="http://www.w3.org/2001/10/synthesis">The <!-- not said --> end&nbsp;&amp; '
        "<![CDATA[the]]> <s>sun</s></speak>"
    )
    found = list(sentences(read_markup(text), Pronouncer(LEXICON | {"and": "AH0 N D"})))
    assert [sentence.text for sentence in found] == ["the end and the", "sun"]
    assert found[0].warnings == ()
    assert said("5 &lt; 6") == "five is less than six"


def test_sentences_end_where_p_and_s_say() -> None:
    assert said("<p><s>the sun</s><s>the end</s></p>the") == "the sun | the end | the"
    assert said("the\n\nsun") == "the sun"


def test_breaks() -> None:
    (one, two, three) = read("the <break time='500ms'/>end. <break strength='strong'/>the")
    assert (one.text, one.pause, one.symbols[-1]) == ("the", None, ",")
    assert (two.text, two.pause, two.symbols[-1]) == ("end", 0.5, ".")
    assert (three.text, three.pause, three.silence) == ("the", BREAKS["strong"], 0.0)
    (one, two) = read("<s>the</s><break time='1s'/><break time='.5s'/><s>end</s><break/>")
    assert (one.pause, two.pause, two.silence) == (None, 1.5, BREAKS["medium"])
    assert said("the <break strength='none'/> end") == "the end"


def test_breaks_are_silence_in_the_samples(voice: Synthesizer) -> None:
    text = "<speak>The end. <break time='2s'/> The sun. <break time='300ms'/></speak>"
    first, second = (len(s.samples) for s in voice.speak_each(text))
    rate = voice.config.mel.sample_rate
    samples = voice.speak(text)
    assert len(samples) == first + 2 * rate + second + round(0.3 * rate)
    assert not samples[first : first + 2 * rate].any()
    words = voice.speak_timed(text).words
    assert [word.text for word in words] == ["The", "end.", "The", "sun."]
    assert words[2].start > first / rate + 2 and words[3].end <= len(samples) / rate - 0.3
    # Without markup, the pause is as before.
    assert len(voice.speak("The end. The sun.")) == first + round(PAUSE * rate) + second


def test_phonemes_and_substitutes() -> None:
    (sentence,) = read('the <phoneme alphabet="ipa" ph="təˈmɑːtoʊ">Tomato</phoneme> end')
    assert sentence.text == "the tomato end"
    assert [word.written for word in sentence.words] == ["the", "Tomato", "end"]
    word = sentence.words[1]
    assert sentence.symbols[word.first : word.last] == ("T", "AH0", "M", "AA1", "T", "OW0")
    (sentence,) = read('<phoneme alphabet="x-arpabet" ph="s ah1 n">x</phoneme>')
    assert sentence.symbols == ("^", "S", "AH1", "N", ".")
    assert said('<sub alias="the sun">T.S.</sub> end') == "the sun end"


@pytest.mark.parametrize(
    "ipa, phones",
    [
        ("kæt", "K AE1 T"),
        ("ˈwɔːtɚ", "W AO1 T ER0"),
        ("dʒʌdʒ", "JH AH1 JH"),
        ("ˌʌndɚˈstænd", "AH1 N D ER0 S T AE1 N D"),
        ("ðə", "DH AH1"),
        ("bɔɪ", "B OY1"),
        ("θɪŋ", "TH IH1 NG"),
    ],
)
def test_ipa(ipa: str, phones: str) -> None:
    assert " ".join(phones_of_ipa(ipa)) == phones
    assert phones_of_arpabet(phones) == tuple(phones.split())


@pytest.mark.parametrize(
    "attributes, written, expected",
    [
        ("interpret-as='characters'", "aB1", "a b one"),
        ("interpret-as='spell-out'", "sun", "s u n"),
        ("interpret-as='digits'", "105", "one zero five"),
        ("interpret-as='cardinal'", "1,905", "one thousand nine hundred and five"),
        ("interpret-as='cardinal'", "-5", "minus five"),
        ("interpret-as='ordinal'", "21", "twenty first"),
        ("interpret-as='telephone'", "+1 555-0123", "plus one five five five zero one two three"),
        ("interpret-as='fraction'", "3/4", "three quarters"),
        ("interpret-as='time'", "5:30 pm", "five thirty p m"),
        ("interpret-as='date' format='dmy'", "3/4/2020", "april third twenty twenty"),
        ("interpret-as='date' format='mdy'", "3/4/2020", "march fourth twenty twenty"),
        ("interpret-as='date'", "2020-03-04", "march fourth twenty twenty"),
        ("interpret-as='date' format='y'", "1905", "nineteen oh five"),
    ],
)
def test_say_as(attributes: str, written: str, expected: str) -> None:
    (sentence,) = read(f"<say-as {attributes}>{written}</say-as>")
    assert sentence.text == expected
    assert all((word.written or "").isascii() for word in sentence.words)
    assert not any(w.startswith("SSML") for w in sentence.warnings)


def test_prosody_of_words() -> None:
    content = (
        "the <prosody rate='80%' pitch='+2st' volume='-6dB'>sun <prosody rate='fast' "
        "pitch='-10%'>is</prosody> less</prosody> end. <prosody rate='+50%' pitch='high' "
        "volume='loud'>The.</prosody>"
    )
    (first, second) = read(content)
    assert [round(w.prosody.rate, 3) for w in first.words] == [1, 0.8, 1, 0.8, 1]
    assert [round(w.prosody.pitch, 2) for w in first.words] == [0, 2, 0.18, 2, 0]
    assert [round(w.prosody.gain, 2) for w in first.words] == [1, 0.5, 0.5, 0.5, 1]
    assert second.words[0].prosody == Prosody(1.5, 2.5, 1.4)


def test_prosody_is_heard(voice: Synthesizer) -> None:
    plain = "The sun is five miles away, and the end is not."
    (usual,) = voice.speak_each(plain)
    half = "The sun is five miles away, <prosody {}>and the end is not.</prosody>"

    def speak(prosody: str) -> tuple[np.ndarray, np.ndarray]:
        (speech,) = voice.speak_each(f"<speak>{half.format(prosody)}</speak>")
        return speech.durations, speech.samples

    start = usual.sentence.words[6].first
    durations, _ = speak("rate='slow'")
    np.testing.assert_array_equal(durations[:start], usual.durations[:start])
    assert durations[start:].sum() == pytest.approx(usual.durations[start:].sum() / 0.75, rel=0.05)
    durations, samples = speak("volume='silent'")
    middle = round(durations[:start].sum() * usual.sample_rate)
    np.testing.assert_allclose(samples[: middle - 400], usual.samples[: middle - 400], atol=1e-4)
    assert not samples[middle + 400 :].any()
    _, samples = speak("volume='x-loud'")
    assert np.abs(samples).max() <= 0.9
    levels = [np.sqrt(np.mean(s[middle + 400 :] ** 2)) for s in (samples, usual.samples)]
    assert levels[0] > 1.5 * levels[1]


def test_what_has_no_effect_is_named_and_its_content_is_spoken() -> None:
    (sentence,) = read(
        "<metadata>no</metadata><emphasis>the</emphasis> <voice name='x'>sun</voice> "
        "<amazon:effect xmlns:amazon='urn:a' name='w'>is</amazon:effect> "
        "<prosody contour='(0%,+1st)'>the</prosody> <say-as interpret-as='odd'>end</say-as>"
    )
    assert sentence.text == "the sun is the end"
    assert sentence.warnings == (
        "SSML: <metadata> has no effect",
        "SSML: <emphasis> has no effect",
        "SSML: <voice> has no effect",
        "SSML: <effect> has no effect",
        "SSML: <prosody contour=…> has no effect",
        "SSML: <say-as interpret-as='odd'> of 'end': read as plain text",
    )


@pytest.mark.parametrize(
    "content, message",
    [
        ("<blink>a</blink>", "<blink> is no element of SSML; one of .*say-as"),
        ("a <b", "not well-formed XML: .*line 1"),
        ("<break time='soon'/>", "<break>: time 'soon' is no time such as 500ms"),
        ("<break time='99s'/>", "<break>: 99 s is longer than 30 s"),
        ("<break strength='odd'/>", "<break>: strength 'odd' is none of none, x-weak"),
        ("<sub>a</sub>", "<sub>: the attribute alias is missing"),
        ("<phoneme>a</phoneme>", "<phoneme>: the attribute ph is missing"),
        ("<phoneme ph='q1'>a</phoneme>", "<phoneme>: 'q' in 'q1' is no sign of the IPA"),
        ("<phoneme alphabet='x-sampa' ph='a'>a</phoneme>", "alphabet 'x-sampa' is unknown"),
        ("<phoneme alphabet='x-arpabet' ph='QQ'>a</phoneme>", "<phoneme>: QQ is no phone"),
        ("<prosody rate='9000%'>a</prosody>", "<prosody>: rate '9000%' is out of range"),
        ("<prosody rate='odd'>a</prosody>", "<prosody>: rate 'odd' is none of x-slow"),
        ("<prosody pitch='200Hz'>a</prosody>", "<prosody>: pitch '200Hz' is none of x-low.*2st"),
        ("<prosody volume='odd'>a</prosody>", "<prosody>: volume 'odd' is none of silent"),
        ("<p>" * 200 + "</p>" * 200, f"SSML: more than {MAX_DEPTH} elements"),
        ("<!DOCTYPE x [<!ENTITY y 'z'>]>&y;", "declarations .* are not allowed"),
    ],
)
def test_wrong_ssml_is_an_error_that_says_where(content: str, message: str) -> None:
    with pytest.raises(TextError, match=message):
        read(content)


def test_other_tags_are_refused_rather_than_read_aloud() -> None:
    for text in ("a <b>c</b>", "<p>The end.</p>", "see <br/> there", '<a href="x">y</a>'):
        with pytest.raises(TextError, match=r"is markup: remove the tags, or write SSML"):
            read_markup(text)
    for text in ("a < b", "a<b", "x <- y", "<https://example.com>", "1 < 2 > 0", "<3", "AT&amp;T"):
        assert read_markup(text) == text


def test_an_expansion_of_entities_is_refused() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cccc"><!ENTITY d "&b;&b;">]><speak>&d;'
    with pytest.raises(TextError):
        read_markup(bomb + "</speak>")
    with pytest.raises(TextError):
        read_markup("<speak>&d;</speak>")


@given(st.text(max_size=60), st.text(alphabet="<>/&;abspeakr'= \"\n", max_size=60))
def test_any_text_is_read_or_refused(text: str, markup: str) -> None:
    for written in (text, markup, f"<speak>{markup}</speak>", f"<speak>{text}"):
        try:
            found = list(sentences(read_markup(written), PRONOUNCE))
        except TextError:
            continue
        assert all(word.text for sentence in found for word in sentence.words)
