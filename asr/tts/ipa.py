"""The International Phonetic Alphabet as the voice's phones, ARPAbet."""

from __future__ import annotations

import re

from asr.errors import TextError
from asr.text.phones import PHONES, VOWELS, Phones

_CONSONANTS = {
    **{"p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "ɡ": "G", "m": "M", "n": "N"},
    **{"ŋ": "NG", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH"},
    **{"ʒ": "ZH", "h": "HH", "tʃ": "CH", "ʧ": "CH", "dʒ": "JH", "ʤ": "JH", "l": "L", "ɫ": "L"},
    **{"r": "R", "ɹ": "R", "ɾ": "T", "j": "Y", "w": "W", "ʍ": "W", "ʔ": "T", "x": "K"},
}
_VOWELS = {
    **{"i": "IY", "ɪ": "IH", "e": "EH", "ɛ": "EH", "æ": "AE", "a": "AA", "ɑ": "AA", "ɒ": "AA"},
    **{"ɔ": "AO", "o": "OW", "ʊ": "UH", "u": "UW", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɜ": "ER"},
    **{"ɝ": "ER", "ɚ": "ER", "ɜɹ": "ER", "ɜr": "ER", "əɹ": "ER", "ər": "ER", "eɪ": "EY"},
    **{"aɪ": "AY", "ɔɪ": "OY", "aʊ": "AW", "oʊ": "OW", "əʊ": "OW", "ɪə": "IH", "ʊə": "UH"},
}
_SIGNS = {**_CONSONANTS, **_VOWELS}
_IGNORED = "ː.ˑ‿͡ʰ̩̯̃ \u0329\u032f"
_SIGN = re.compile(
    "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True)) + "|."
)


def phones_of_ipa(ipa: str) -> Phones:
    """The phones of a word in IPA. Sounds that English lacks become their neighbours.

    >>> phones_of_ipa("təˈmeɪtoʊ")
    ('T', 'AH0', 'M', 'EY1', 'T', 'OW0')

    Raises:
        TextError: a sign is unknown, or there is none.
    """
    phones, stressed = list[str](), False
    for sign in _SIGN.findall(ipa):
        if sign in "ˈˌ'":
            stressed = True
        elif sign in _VOWELS:
            phones.append(f"{_VOWELS[sign]}{int(stressed)}")
            stressed = False
        elif sign in _CONSONANTS:
            phones.append(_CONSONANTS[sign])
        elif sign not in _IGNORED:
            raise TextError(f"<phoneme>: {sign!r} in {ipa!r} is no sign of the IPA for English")
    vowels = [i for i, phone in enumerate(phones) if phone[-1].isdigit()]
    if len(vowels) == 1:  # a word of one syllable is stressed
        phones[vowels[0]] = phones[vowels[0]][:-1] + "1"
    if not phones:
        raise TextError(f"<phoneme>: {ipa!r} has no phones")
    return tuple(phones)


def phones_of_arpabet(written: str) -> Phones:
    """The phones of a word in ARPAbet, such as "T AH0 M EY1 T OW0".

    Vowels without stress have none; secondary stress counts as stress.

    Raises:
        TextError: a phone is unknown, or there is none.
    """
    phones = []
    for phone in written.upper().replace("2", "1").split():
        made = f"{phone}0" if phone in {vowel.rstrip("01") for vowel in VOWELS} else phone
        if made not in PHONES:
            raise TextError(f"<phoneme>: {phone} is no phone; one of {', '.join(PHONES)}")
        phones.append(made)
    if not phones:
        raise TextError(f"<phoneme>: {written!r} has no phones")
    return tuple(phones)
