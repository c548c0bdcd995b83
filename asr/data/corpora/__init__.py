"""Known corpora. Each module's `prepare` makes manifests from the files of its corpus.

data/README.md lists the corpora with their licences and the files that `prepare` expects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from asr.data.corpora.common import move_to_dev
from asr.data.manifest import Utterance, write_manifest
from asr.errors import ManifestError
from asr.text.languages import (
    check_language_code,
    clearly_foreign_letters,
    language_code,
    yaml_line,
)

CORPORA = (
    "alphanumeric",
    "an4",
    "asterisk",
    "commonvoice",
    "folder",
    "fsdd",
    "hf",
    "kaldi",
    "kathleen",
    "lhotse",
    "librispeech",
    "ljspeech",
    "pocketsphinx",
    "speech_commands",
    "speechocean762",
)
"""Names of corpora; each is a module of this package."""
MAKE_DEV = "asr data prepare … --dev N moves N utterances from the train set to a dev set"
"""What to do without a dev set."""
FROM_FILES = ("hf", "lhotse")
"""Corpora whose source may be one file instead of a folder."""


@dataclass(frozen=True)
class Prepared:
    """The manifests of a corpus.

    Attributes:
        manifests: path of each manifest, by split ("train", "dev", "test").
        counts: number of utterances, by split.
        skipped: a message with file and reason for each utterance that was left out.
        hints: what to do about texts that are probably not English, and about a missing dev set.
    """

    manifests: dict[str, Path]
    counts: dict[str, int]
    skipped: tuple[str, ...]
    hints: tuple[str, ...] = ()


def prepare(name: str, source: Path, out: Path, language: str = "", dev: int = 0) -> Prepared:
    """Write the manifests of a corpus.

    Args:
        name: one of `CORPORA`.
        source: folder of the unpacked corpus; may be a file for those of `FROM_FILES`.
        out: folder of the manifests train.jsonl, dev.jsonl and test.jsonl.
        language: language of speech and texts, such as "de", for the key `lang` of every line.
            Default: "", what the corpus says, which is nothing for most.
        dev: utterances to move from the train set to the dev set, evenly spread; default: 0.

    Raises:
        ManifestError: the corpus is unknown, `source` lacks its files, no utterance is usable, the
            corpus says that it has another language, or `dev` leaves nothing to train on.
        ConfigError: the language is no code.
    """
    code = language and check_language_code(language, "--language")
    if name not in CORPORA:
        raise ManifestError(f"{name}: unknown corpus; known: {', '.join(CORPORA)}")
    if not source.is_dir() and not (name in FROM_FILES and source.is_file()):
        kind = "file or folder" if name in FROM_FILES else "folder"
        raise ManifestError(f"{source}: no such {kind}")
    module = import_module(f"asr.data.corpora.{name}")
    skipped: list[str] = []
    splits: dict[str, list[Utterance]] = module.prepare(source, out, skipped)
    splits = {split: utterances for split, utterances in splits.items() if utterances}
    if not splits:
        reasons = "\n  ".join(skipped[:10])
        raise ManifestError(f"{source}: no usable utterance found for {name}\n  {reasons}")
    if dev:
        kept, moved = move_to_dev(splits.get("train", []), dev)
        splits |= {"train": kept, "dev": splits.get("dev", []) + moved}
    if code:
        splits = {split: [_of(u, code) for u in utterances] for split, utterances in splits.items()}
    manifests = {split: out / f"{split}.jsonl" for split in splits}
    for split, utterances in splits.items():
        write_manifest(manifests[split], utterances)
    texts = [u.text for utterances in splits.values() for u in utterances if not u.language]
    found = clearly_foreign_letters(texts)
    hints = _dev_hints(name, splits)
    if found is not None:
        hints.append(
            f"the texts are probably not English: they have {found.listed}. Give --language "
            f"{found.language or 'CODE'} if this is their language, and write "
            f"{yaml_line(found.language)}, in the training configuration"
        )
    counts = {split: len(utterances) for split, utterances in splits.items()}
    return Prepared(manifests, counts, tuple(skipped), tuple(hints))


def _dev_hints(name: str, splits: dict[str, list[Utterance]]) -> list[str]:
    """What to do if there is a train set, but no dev set."""
    count = len(splits.get("train", []))
    if not count or "dev" in splits:
        return []
    remedies = []
    if count > 1:
        move = max(1, round(count / 10))
        remedies.append(
            f"give --dev N, such as --dev {move}, to move N utterances from train to it"
        )
    if name == "folder":
        remedies.append("add recordings, of which every twentieth goes into it")
    return [f"no dev set, on which training chooses the best epoch: {', or '.join(remedies)}"]


def _of(utterance: Utterance, language: str) -> Utterance:
    """The utterance with a language."""
    own = utterance.language
    if own and language_code(own) != language:
        raise ManifestError(
            f"{utterance.name}: the corpus says that its language is {own!r}, but --language is "
            f"{language!r}"
        )
    return replace(utterance, language=language)
