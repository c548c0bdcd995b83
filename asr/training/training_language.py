"""Checks that a recogniser's configuration has the language of its training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from asr.data.manifest import Utterance
from asr.errors import TextError
from asr.text.languages import (
    UNKNOWN_LANGUAGE,
    foreign_letters,
    language_code,
    language_name,
    yaml_line,
)
from asr.text.tokenizers import TokenizerConfig


def check_training_language(
    tokenizer: TokenizerConfig,
    asked: bool,
    utterances: Sequence[Utterance],
    say: Callable[[str], object],
) -> None:
    """Check that the train texts are of the configuration's language.

    Args:
        tokenizer: the configuration's tokenizer.
        asked: whether the configuration names the language. If it does not, the default is English,
            which removes accents.
        utterances: the training data.
        say: receives a warning if a few words would lose their accents.

    Raises:
        TextError: all manifests name another language; or the texts are probably of another
            language than English, and the configuration names none. The error has the line of the
            configuration to write.
    """
    named = Counter(language_code(u.language or "") for u in utterances)
    known = [code for code, _ in named.most_common() if code not in UNKNOWN_LANGUAGE]
    wanted = tokenizer.language
    if wanted and known and wanted not in known and not UNKNOWN_LANGUAGE & set(named):
        raise TextError(
            f"the train manifests have lang {known[0]}, but the model's language is "
            f"{language_name(wanted)}: write `language: {known[0]}` in the training configuration"
        )
    if wanted != "en" or asked or known == ["en"]:
        return
    found = foreign_letters(u.text for u in utterances)
    if found is None:
        return
    if found.is_clear:
        raise TextError(
            f"the train texts are probably not English: they have {found.listed}, which the "
            "English normaliser would change to plain letters or cannot spell. Write "
            f"{yaml_line(found.language)}, in the training configuration; or `language: en` to "
            "have accents removed"
        )
    say(
        f"{found.words} words of the train texts lose their accents: {found.listed}. Write "
        "`language: en` in the training configuration if this is right"
    )
