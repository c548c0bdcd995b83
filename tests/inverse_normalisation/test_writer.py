"""Numbers as they are written: never another number than the one that was said."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asr.batch.workers import Transcriber, WorkUnit
from asr.errors import ConfigError
from asr.inverse_normalisation.phrases import PhraseSampler
from asr.inverse_normalisation.spans import KNOWN, NUMBERS, spans, target_of, tokens_of
from asr.inverse_normalisation.spoken_forms import align_written, readings
from asr.inverse_normalisation.training_pairs import (
    Exactness,
    WrittenPair,
    exactness,
    exactness_record,
    exactness_text,
    written_pairs,
)
from asr.inverse_normalisation.values import is_word, part_of
from asr.inverse_normalisation.writer import NumberWriter, check_language, load_number_writer
from asr.models import DEFAULT_MODEL, MODELS
from asr.networks.model_directory import RecognizerConfig, read_config, write_model
from asr.recognizer import Recognizer
from asr.results import Alternative, Token, Transcript, Word
from asr.seq2seq.converter_config import ConverterConfig
from asr.serving.client import RemoteRecognizer
from asr.text.normalisers import normalise_english
from asr.text.number_words import MONTHS
from asr.text.tokenizers import TokenizerConfig
from asr.text.verbalisation import verbalise

SAID = st.lists(st.sampled_from([*sorted(KNOWN), "p", "m", "house"]), max_size=12)
SIGNS = [*"0123456789$€£%.,:_", "th", "May", "pm", "km", "million", "five", "and", "the", "٣", "x"]


def never(sources: Sequence[str], count: int) -> list[list[str]]:
    raise AssertionError("nothing here is to be converted")


def saying(*targets: str) -> NumberWriter:
    """A writer whose converter always says the same."""
    return NumberWriter(
        lambda sources, count: [[target_of(t.split()) for t in targets]] * len(sources)
    )


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("7", ()),
        ("205", ("two hundred five", "two oh five")),
        ("12,345", ()),
        ("100", ("a hundred",)),
        ("1900", ("nineteen hundred", "one nine oh oh")),
        ("1984", ("nineteen eighty four", "a thousand nine hundred eighty four")),
        ("2005", ("two thousand five", "twenty oh five")),
        ("482", ("four eighty two",)),
        ("0042", ("oh oh four two",)),
        ("3.14", ()),
        ("0.05", ("zero point oh five",)),
        ("23rd", ()),
        ("105th", ("one hundred fifth",)),
        ("1980s", ()),
        ("5%", ("five per cent",)),
        ("$1", ()),
        ("$23", ("twenty three dollar",)),
        ("€2.5", ()),
        ("$3 million", ()),
        ("$12.50", ("twelve dollars and fifty cents",)),
        ("£1.01", ("one pound and one penny",)),
        ("5:00", ()),
        ("5:30", ("half past five",)),
        ("5:05", ("five oh five",)),
        ("23 May 1984", ("twenty third of may nineteen eighty four",)),
        ("in May 1984", ()),
        ("23 May", ("twenty third may",)),
        ("10 km", ("ten kilometre",)),
        ("May 23", ("may the twenty third",)),
        ("May 23, 1984", ()),
        ("60 mph", ()),
        ("5 GB", ()),
    ],
)
def test_spoken_forms_include_the_normaliser_and_further_readings(
    written: str, also: Sequence[str]
) -> None:
    for said in (normalise_english(verbalise(written)), *also):
        assert align_written(said.split(), written.split()) is not None, said


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("twenty three", "24"),
        ("twenty three", "20 3"),
        ("two hundred and five", "200 and 5"),
        ("two hundred and five", "25"),
        ("five", "05"),
        ("twelve dollars", "$12.00"),
        ("twenty third", "23th"),
        ("five percent", "5"),
        ("point five", "0.5"),
        ("five", "٥"),
        ("quarter to six", "5:45"),
        ("five thirty", "17:30"),
        ("one of them", "1 of"),
        ("five five", "5"),
        ("five", "5 5"),
        ("may", "March"),
        ("five", "six"),
        ("five", ""),
        ("one", "9" * 5000),
        ("ten", "1e1"),
        ("may", "May"),
        ("three may", "three May"),
    ],
)
def test_align_refuses_texts_that_were_not_spoken(said: str, written: str) -> None:
    assert align_written(said.split(), written.split()) is None
    assert saying(written).text(f"{said} ten") in (f"{said} ten", f"{said} 10")


@given(st.integers(0, 10**9))
def test_changing_a_digit_is_refused(seed: int) -> None:
    chance = random.Random(seed)
    phrase = PhraseSampler("train", seed).phrase()
    places = [i for i, c in enumerate(phrase.written) if c.isdigit()]
    if not places or align_written(phrase.spoken.split(), phrase.written.split()) is None:
        return
    at = chance.choice(places)
    digit = chance.choice([d for d in "0123456789" if d != phrase.written[at]])
    for middle in (digit, digit + phrase.written[at], ""):
        changed = phrase.written[:at] + middle + phrase.written[at + 1 :]
        if changed.split() != phrase.written.split() and changed.strip():
            assert align_written(phrase.spoken.split(), changed.split()) is None, (phrase, changed)


@given(SAID, st.lists(st.lists(st.sampled_from(SIGNS), max_size=9).map(" ".join), min_size=1))
def test_any_proposal_gives_only_numbers_that_were_spoken(
    words: list[str], targets: list[str]
) -> None:
    writer = NumberWriter(lambda sources, count: [targets[:count]] * len(sources))
    (pieces,) = writer.pieces([words])
    assert [i for piece in pieces for i in range(piece.first, piece.last)] == [*range(len(words))]
    days = {normalise_english(f"{n}th" if n > 3 else f"{n}st"): n for n in range(4, 32)}
    for i, piece in enumerate(pieces):
        said = words[piece.first : piece.last]
        if re.search(r"\d", piece.text):
            near = {p.text for p in pieces[max(0, i - 1) : i + 2]}
            if near & {*MONTHS} and said[-1] in " ".join(days):
                continue  # a day: "no digit can change" has them
            if near & {"million"} and piece.text[0] in "$€£":
                continue
            ways = {way.replace("oh", "zero") for way in readings(piece.text)}
            assert " ".join(said).replace("oh", "zero") in ways
        elif said != [piece.text]:
            assert " ".join(said) in readings(piece.text)


@given(st.text())
def test_text_without_numbers_is_unchanged(text: str) -> None:
    assume(not NUMBERS & {*text.split()})
    assert NumberWriter(never).text(text) == text


@given(st.text(), st.sampled_from([" one ", "\tfirst\n"]))
def test_small_numbers_between_other_words_are_unchanged(text: str, small: str) -> None:
    # Words of `KNOWN` can make one number of two: "one or one" may be written "1 or 1".
    text = small.join(word for word in text.split() if word not in KNOWN)
    assert NumberWriter(never).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "one of them",
        "a second hand car for two",
        "the one i may want to buy",
        "you may march on",
        "a third of a second",
        "no one",
        "oh my",
        "i am in may",
        "  spaced   out\n",
        "",
    ],
)
def test_ordinary_words_never_reach_the_converter(text: str) -> None:
    assert NumberWriter(never).text(text) == text


def test_spans_longer_than_in_training_stay_in_words() -> None:
    text = "one " * 41
    assert NumberWriter(never).text(text) == text
    assert saying("1 " * 40).text(text[4:]) == text[4:].replace("one", "1")


def test_only_converted_spans_are_replaced() -> None:
    assert saying("23").text(" so\ttwenty  three \n of them") == " so\t23 \n of them"
    assert saying("24", "23").text("twenty three and twenty four") == "twenty three and twenty four"


def test_further_proposals_are_tried_where_the_first_fails() -> None:
    asked: list[tuple[tuple[str, ...], int]] = []

    def propose(sources: Sequence[str], count: int) -> list[list[str]]:
        asked.append((tuple(sources), count))
        return [["2 4", "2 3"][:count] for _ in sources]

    text = "twenty three here and there twenty three or there twenty four"
    assert NumberWriter(propose).text(text) == "23 here and there 23 or there 24"
    (first, one), (second, several) = asked
    assert one == 1 < several and len(first) == 3 and len(second) == 2


@given(st.lists(st.sampled_from(["$12.50", "May", "23,", "1980s", "23rd", "five", "km", "5%"])))
def test_tokens_of_inverts_target_of(tokens: list[str]) -> None:
    assert tokens_of(target_of(tokens)) == tokens
    assert {"12", "1984"}.isdisjoint(target_of(tokens).split())


def transcript(*said: str) -> Transcript:
    words = tuple(Word(text, i + 0.25, i + 1.0, 0.9 - i / 10) for i, text in enumerate(said))
    letters = tuple(Token(c, 0.0, 1.0, -1.0) for c in " ".join(said))
    return Transcript(" ".join(said), -0.5, 10.0, letters, "a.wav", words)


def test_a_written_word_spans_the_times_of_its_spoken_words() -> None:
    heard = transcript("on", "the", "twenty", "third", "of", "may", "he", "came")
    (found,) = saying("23 May").transcripts([heard])
    assert found.text == "on 23 May he came"
    assert [(w.text, w.start, w.end, round(w.confidence, 9)) for w in found.words] == [
        ("on", 0.25, 1.0, 0.9),
        ("23", 1.25, 4.0, 0.6),
        ("May", 4.25, 6.0, 0.4),
        ("he", 6.25, 7.0, 0.3),
        ("came", 7.25, 8.0, 0.2),
    ]
    assert replace(found, text=heard.text, words=heard.words) == heard


def test_a_single_number_word_is_written_and_all_else_is_unchanged() -> None:
    ten, none = transcript("ten", "men"), transcript("the", "men")
    found, same = saying("10").transcripts([ten, none])
    assert (found.text, [w.text for w in found.words]) == ("10 men", ["10", "men"])
    assert same == none
    wordless = replace(ten, words=())
    assert saying("10").transcripts([wordless]) == [replace(wordless, text="10 men")]


def test_alternatives_are_written_too() -> None:
    heard = replace(
        transcript("ten", "men"),
        alternatives=(Alternative("ten men", -1.0), Alternative("then men", -2.0)),
    )
    (found,) = saying("10").transcripts([heard])
    assert found.alternatives == (Alternative("10 men", -1.0), Alternative("then men", -2.0))


def test_training_pairs_pass_the_check_of_the_writer() -> None:
    for part in ("train", "dev", "test"):
        for pair in written_pairs(part, 150, 3):
            symbols = pair.source.split()
            left, right = symbols.index("<"), symbols.index(">")
            inside = symbols[left + 1 : right]
            assert align_written(inside, tokens_of(pair.target)) is not None
            if NUMBERS.isdisjoint((*symbols[:left], *symbols[right:])):
                text = [word.replace("?", "house") for word in symbols if word not in "<>"]
                assert [span.source for span in spans(text)] == [pair.source]


def test_values_are_in_one_part_of_the_split() -> None:
    plain = {"cardinal", "year", "digits", "code", "decimal", "percent", "unit", "money", "large"}
    for part in ("train", "dev", "test"):
        written = [tokens_of(p.target) for p in written_pairs(part, 600, 5) if p.kind in plain]
        found = [re.search("[0-9][0-9,.]*", "".join(tokens)) for tokens in written]
        values = {number[0].replace(",", "") for number in found if number}
        assert len(values) > 100
        assert {part_of(value) for value in values if not is_word(value)} == {part}
        assert part == "train" or len([value for value in values if is_word(value)]) < 10


def test_the_seed_determines_the_pairs() -> None:
    code = (
        "from asr.inverse_normalisation.training_pairs import written_pairs\n"
        "print(written_pairs('train', 300, 1))"
    )
    run = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert run[0] == run[1] == f"{written_pairs('train', 300, 1)}\n"
    assert written_pairs("train", 50, 2) != written_pairs("train", 50, 1)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (
            "on the twenty third of may nineteen eighty four at five thirty p m he paid twelve "
            "dollars and fifty cents",
            "on 23 May 1984 at 5:30 pm he paid $12.50",
        ),
        (
            "it rose by two point five percent to three point one million",
            "it rose by 2.5% to 3.1 million",
        ),
        ("call five five five one two one two", "call 5551212"),
        (
            "he came in two thousand and five and left in twenty oh six",
            "he came in 2005 and left in 2006",
        ),
        (
            "the nineteen eighties were not like the twenties",
            "the 1980s were not like the twenties",
        ),
        (
            "a hundred people and a hundred and one dalmatians",
            "a hundred people and 101 dalmatians",
        ),
        ("in room four eighty two on flight nine oh one", "in room 482 on flight 901"),
        (
            "the meeting is at half past ten on the fourth of july",
            "the meeting is at 10:30 on 4 July",
        ),
        (
            "from nine a m to five p m on january first two thousand and one",
            "from 9 am to 5 pm on January 1, 2001",
        ),
        ("go forward ten meters at sixty miles per hour", "go forward 10 m at 60 mph"),
        (
            "she is twenty three and weighs one hundred and ten pounds",
            "she is 23 and weighs 110 pounds",
        ),
        ("seventeen pounds and ninety nine pence or a million dollars", "£17.99 or $1 million"),
        (
            "the twenty first century and the one hundred and first time",
            "the 21st century and the 101st time",
        ),
        ("about five to ten percent of twenty thousand", "about 5 to 10% of 20,000"),
        ("zip code one five two one three", "zip code 15213"),
        # What may be several things, or no number at all.
        *(
            (text, text)
            for text in (
                "the train leaves five thirty",
                "two or three hundred of them",
                "three quarters of it",
                "it was a quarter to six",
                "you may first sit down",
                "seven fourteen sixty one",
                "one and a half million",
                "ten eleven twelve",
            )
        ),
    ],
)
def test_shipped_model_writes_sentences(said: str, written: str) -> None:
    assert load_number_writer().text(said) == written


def test_shipped_model_is_exact_on_unseen_values() -> None:
    rows, missed = exactness(load_number_writer(), written_pairs("test", 300, 9))
    assert rows[0].pairs == 300 and rows[0].exact >= 297, missed
    assert sum(row.pairs for row in rows[1:]) == 300 and len(rows) > 10
    assert rows[0].exact + rows[0].refused + rows[0].wrong == 300


def test_exactness_counts_outcomes_of_network_and_check() -> None:
    pairs = [
        WrittenPair("a", "? < twenty three >", "2 3"),
        WrittenPair("a", "< twenty four >", "2 4"),
        WrittenPair("b", "< ten > of", "1 0"),
        WrittenPair("b", "< one two three >", "1 2 3"),
    ]
    answers = {
        pairs[0].source: ["2 3"],
        pairs[1].source: ["2 5", "2 4"],
        pairs[2].source: ["1 1"],
        pairs[3].source: ["1 _ 2 _ 3"],
    }
    writer = NumberWriter(lambda sources, count: [answers[source][:count] for source in sources])
    rows, missed = exactness(writer, pairs)
    assert rows == [
        Exactness("all", 4, 1, 2, 1, 1),
        Exactness("a", 2, 1, 2, 0, 0),
        Exactness("b", 2, 0, 0, 1, 1),
    ]
    assert missed == [(pairs[2], "ten"), (pairs[3], "1 2 3")]
    assert "| all | 4 | 25.00% | 50.00% | 1 | 1 |" in exactness_text(rows)
    assert exactness_record(rows)["b"] == {
        "pairs": 2,
        "best": 0,
        "exact": 0,
        "refused": 1,
        "wrong": 1,
    }


def test_model_card_has_the_required_content() -> None:
    folder = MODELS / "en-written"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 2_000_000
    card = (folder / "README.md").read_text()
    for word in ("make_written_pairs", "train_seq2seq", "seed", "commit", "Limits"):
        assert word in card
    training = read_config(ConverterConfig, folder).training
    assert "-dirty" not in training["commit"] and training["config"]["data"]["dev"]


def run(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "asr", "transcribe", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_command_line_equals_python_without_tensorflow(goforward: Path) -> None:
    heard = Recognizer.load(DEFAULT_MODEL).transcribe(goforward)
    (written,) = load_number_writer().transcripts([heard])
    assert "ten" in heard.text.split() and "10" in written.text.split()
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'librosa'): sys.modules[name] = None\n"
        f"sys.argv = ['asr', 'transcribe', {str(goforward)!r}, '--written']\n"
        "from asr.cli.app import main\n"
        "main()"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == written.text + "\n"
    (line,) = run(goforward, goforward, "--written", "--workers", 2, "--format", "jsonl").split(
        "\n"
    )[:1]
    values = json.loads(line)
    assert values["text"] == written.text == " ".join(w["text"] for w in values["words"])
    assert [w["start"] for w in values["words"]] == [round(w.start, 3) for w in written.words]


def test_written_option_redoes_a_finished_folder(goforward: Path, tmp_path: Path) -> None:
    batch = [goforward, "--out", f"{tmp_path}/out/", "--resume"]
    texts = []
    for option in ([], ["--written"], ["--written"], []):
        run(*batch, *option)
        texts.append((tmp_path / "out" / "goforward.txt").read_text())
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert summary["skipped"] == (len(texts) == 3)
    assert texts[0] == texts[3] and texts[1] == texts[2] and "10" in texts[1].split()


def test_a_served_recogniser_writes_the_same_numbers(
    goforward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = WorkUnit(((0, str(goforward)),))
    local = Transcriber("en-small", written=True)
    expected = local.transcribe(local.load(), job)
    remote = replace(local, server="http://localhost:8501")
    monkeypatch.setattr(
        RemoteRecognizer, "connect", lambda url, model, decoding: Recognizer.load(model, decoding)
    )
    assert remote.transcribe(remote.load(), job) == expected
    assert "10" in expected[0].results[0].text.split()  # type: ignore[union-attr]


def test_other_languages_are_refused_at_the_start(tmp_path: Path) -> None:
    tokenizer = TokenizerConfig("jamo", "korean", "")
    write_model(tmp_path / "ko", RecognizerConfig("ko", tokenizer=tokenizer), (b"", ""), "")
    with pytest.raises(ConfigError, match=r"--written: .*/ko .*Korean"):
        Transcriber(str(tmp_path / "ko"), written=True).load()
    check_language("en-small")
