"""Made up written forms of numbers, and their spoken ones by `asr.inverse_normalisation.spoken_forms`, which has them
from a normaliser.

The style: digits from ten on, commas from 10,000 on, and "3 million"; below ten only for money,
percent, units, dates, times and codes. A date is in the order it was said in: 23 May 1984, or
May 23, 1984. What may be several things stays in words ("five thirty" without a word such as "at"
before it, "two or three hundred", "a hundred"); so do fractions, and pounds without pence have no
sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from num2words import num2words

from asr.inverse_normalisation import spoken_forms
from asr.inverse_normalisation.spans import (
    CODE_CUES,
    DATE_CUES,
    DECADES,
    ORDINALS,
    SCALES,
    SMALL,
    TIME_CUES,
)
from asr.inverse_normalisation.values import Values, grouped, is_word
from asr.text.normalisers import normalise_english

_NEAR = (
    "at by before after until around about since from to for is was are were be i you he she it we "
    "they that who which not will would can could into over under nearly almost only than more "
    "less morning night year years times people in on with through last next this room flight "
    "number of or and the a between house car long new made came went bought old said saw paid "
    "found works against city water told them here then again good men women world"
)
ANY = tuple(_NEAR.split())
"""Neighbours; many are no symbol of their own."""
NEUTRAL = tuple(
    sorted({*ANY} - TIME_CUES - CODE_CUES - DATE_CUES - {"of", "or", "and", "the", "a"})
)
"""Those that belong to no number and change the sense of none."""
UNCLEAR = (*sorted({*ANY} - TIME_CUES - CODE_CUES), "")
"""Behind these, "five thirty" may be anything."""
NO_DATE = (*sorted({*ANY} - DATE_CUES), "")
"""Behind these, "may" and "march" are verbs."""
VERBS = ("March", "May")
HOURS = range(1, 13)
SMALL_ORDINALS = tuple(sorted(SMALL & ORDINALS))


@dataclass(frozen=True)
class Phrase:
    """Words that were said, and how they are written; `before` are the words that may stand in
    front, "" of which is a text's start."""

    kind: str
    said: str
    written: str
    before: Sequence[str] = (*ANY, "", "")


def plain(value: int) -> str:
    """A whole number as it is written by itself: below ten in words, whole millions as such."""
    for scale, name in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if value >= scale and value % scale == 0:
            return f"{value // scale} {name}"
    return normalise_english(str(value)) if value < 10 else grouped(value)


def is_lone(said: str) -> bool:
    """Whether it is "a hundred" or the like, which stays in words: it may be a way of speaking."""
    return said in {f"a {scale}" for scale in SCALES}


class Maker(Values):
    """Makes sentences whose values are all of one part of the split.

    Each kind is a method: a random phrase, or None if its values belong to another part.
    """

    def __init__(self, part: str, seed: int) -> None:
        super().__init__(part, seed)
        self.kinds: dict[Callable[[], Phrase | None], float] = {
            self.cardinal: 14, self.large: 5, self.decimal: 5, self.ordinal: 7, self.year: 9,
            self.decade: 2, self.date: 16, self.month_word: 5, self.time: 14, self.money: 14,
            self.percent: 5, self.unit: 6, self.digits: 8, self.code: 6, self.unclear: 7,
            self.between: 10, self.both: 8, self.words: 8,
        }  # fmt: skip

    def sentence(self) -> list[Phrase]:
        """One to three phrases with neighbours, two of them never side by side."""
        words: list[Phrase] = []
        for _ in range(self.one_of({1: 5, 2: 3, 3: 2})):
            phrase = self.phrase()
            before = self.one(phrase.before)
            if words or before:
                first = self.one(ANY if before else NEUTRAL)
                words += [Phrase("", word, word) for word in (first, before) if word]
            words.append(phrase)
            after = [self.one(ANY) for _ in range(self.one((0, 1, 1, 2, 2)))]
            words += [Phrase("", word, word) for word in after]
        return words

    def phrase(self) -> Phrase:
        """Of a random kind."""
        while True:
            kind = self.one_of(self.kinds)
            for _ in range(200):
                if (phrase := kind()) is not None:
                    return phrase

    def cardinal(self) -> Phrase | None:
        value = self.whole(10, 10**9)
        if value % 10**6 == 0 or not self.mine(str(value)):
            return None
        ways = spoken_forms.cardinal(str(value))
        return Phrase("cardinal", self.one([w for w in ways if not is_lone(w)]), plain(value))

    def large(self) -> Phrase | None:
        digits, scale = self.amount(1000), self.one(spoken_forms.SCALES)
        if not self.mine(digits):
            return None
        return Phrase("large", f"{self.said(digits)} {scale}", f"{digits} {scale}")

    def decimal(self) -> Phrase | None:
        digits = self.amount(2)
        if "." not in digits or not self.mine(digits):
            return None
        return Phrase("decimal", self.said(digits), digits)

    def ordinal(self) -> Phrase | None:
        value = self.whole(10, 3000)
        if value in (100, 1000) or not self.mine(str(value)):
            return None
        before = self.one((("the",), ANY))
        said = self.one(spoken_forms.ordinal(str(value)))
        return Phrase("ordinal", said, num2words(value, to="ordinal_num"), before)

    def year(self) -> Phrase | None:
        digits, said = self.a_year()
        return Phrase("year", said, digits) if self.mine(digits) else None

    def a_year(self) -> tuple[str, str]:
        year = self.random.randrange(*self.one(((1300, 2100), (1800, 2030), (1980, 2030))))
        hundreds = [
            way for way in spoken_forms.cardinal(str(year)) if year < 2000 or not is_lone(way)
        ]
        if year % 100 == 0:
            return str(year), hundreds[-1 if year < 2000 else 0]
        pairs = spoken_forms.paired(str(year))
        share = 0.95 if year < 2000 else 0.3 if year < 2010 else 0.7
        return str(year), pairs if self.random.random() < share else self.one(hundreds[:2])

    def decade(self) -> Phrase | None:
        written = f"{self.one((17, 18, 19, 19, 20))}{self.random.randrange(2, 10)}0s"
        return Phrase("decade", normalise_english(written), written) if self.mine(written) else None

    def date(self) -> Phrase | None:
        month = self.one((*spoken_forms.MONTHS, *VERBS, *VERBS))
        day = str(self.random.randrange(1, 32))
        year, said_year = self.a_year()
        form = self.one_of({"md": 4, "mdy": 3, "dm": 4, "dmy": 3, "my": 1})
        if not self.mine(year if "y" in form else f"{day} {month}"):
            return None
        name, said_day = month.lower(), self.one(spoken_forms.day(day))
        of = "of " if month in VERBS or self.random.random() < 0.7 else ""
        verb = month in VERBS and form == "md" and int(day) < 10
        said, written = {
            "md": (f"{name} {said_day}", f"{month} {day}"),
            "mdy": (f"{name} {said_day} {said_year}", f"{month} {day}, {year}"),
            "dm": (f"{said_day} {of}{name}", f"{day} {month}"),
            "dmy": (f"{said_day} {of}{name} {said_year}", f"{day} {month} {year}"),
            "my": (f"{name} {said_year}", f"{month} {year}"),
        }[form]
        before = sorted(DATE_CUES) if verb else [*ANY, "", *sorted(DATE_CUES)]
        return Phrase("date", said, written, before)

    def month_word(self) -> Phrase | None:
        """Names of months beside numbers, which make no date: "you may first", "april ten"."""
        day = self.random.randrange(1, self.one((10, 40)))
        month = self.one(spoken_forms.MONTHS).lower()
        if not self.mine(f"{day} {month}"):
            return None
        if self.random.random() < 0.4:
            said, written = self.said(str(day)), plain(day)
            if self.random.random() < 0.5:
                return Phrase("month word", f"{month} {said}", f"{month} {written}")
            verb = self.one(VERBS).lower()
            return Phrase("month word", f"{said} {verb}", f"{written} {verb}")
        days = [num2words(n, to="ordinal_num") for n in (day, day % 31 + 1)]
        names = [self.one(spoken_forms.ordinal(written[:-2])) for written in days]
        forms = [d if len(d) > len("9th") else name for d, name in zip(days, names, strict=True)]
        if self.random.random() < 0.3:
            said, written = (f"the {' and '.join(both)} of {month}" for both in (names, forms))
            return Phrase("month word", said, written)
        verb = self.one(VERBS).lower()
        if self.random.random() < 0.5:
            return Phrase("month word", f"the {names[0]} {verb}", f"the {forms[0]} {verb}")
        said = f"{verb} {names[0]}"
        return Phrase("month word", said, said, NO_DATE) if day < 10 else None

    def time(self) -> Phrase | None:
        hour, minute = self.one(HOURS), self.random.randrange(60)
        if self.random.random() < 0.5:
            minute -= minute % 15
        said, *past = spoken_forms.time(hour, minute)
        written, half = f"{hour}:{minute:02}", self.one(("pm", "am"))
        if not (self.mine(written) if minute else self.part == "train"):
            return None
        said_half = self.one(spoken_forms.HALVES[half])
        if past and self.random.random() < 0.4:
            return Phrase("time", self.one(past), written)
        if not minute and self.random.random() < 0.6:
            said, written = normalise_english(str(hour)), str(hour)
        elif not minute or self.random.random() < 0.5:
            return Phrase("time", said, written, [*ANY] if not minute else sorted(TIME_CUES))
        return Phrase("time", f"{said} {said_half}", f"{written} {half}")

    def money(self) -> Phrase | None:
        sign = self.one_of({"$": 6, "€": 2, "£": 2})
        form = self.one_of({"whole": 5, "cents": 5, "large": 3, "coins": 1})
        (one, many), coins = spoken_forms.COINS[sign]
        digits = self.amount(1000 if form == "large" else 10**6)
        if form == "cents":
            digits = f"{digits}.{self.random.randrange(1, 100):02}"
        wrong = form != "large" and digits.count(".") != (form == "cents")
        if wrong or not self.mine(digits.replace(",", "")):
            return None
        name = one if digits.split(".")[0] == "1" else many
        if form == "large":
            scale = self.one(spoken_forms.SCALES)
            said = "a" if digits == "1" and sign != "£" else self.said(digits)
            written = f"{digits} {scale} {many}" if sign == "£" else f"{sign}{digits} {scale}"
            return Phrase("money", f"{said} {scale} {many}", written)
        if form == "cents":
            whole, cents = digits.split(".")
            part = f"{self.said(str(int(cents)))} {coins[cents != '01']}"
            joined = self.one((" ", " and "))
            return Phrase("money", f"{self.said(whole)} {name}{joined}{part}", f"{sign}{digits}")
        if form == "coins" or sign == "£":  # pounds without pence may be a weight, and have no sign
            name = coins[digits != "1"] if form == "coins" else name
            written = f"{plain(int(digits.replace(',', '')))} {name}"
            return Phrase("money", f"{self.said(digits)} {name}", written)
        return Phrase("money", f"{self.said(digits)} {name}", f"{sign}{digits}")

    def percent(self) -> Phrase | None:
        digits, name = self.amount(1000), self.one(("percent", "percent", "per cent"))
        if not self.mine(digits):
            return None
        return Phrase("percent", f"{self.said(digits)} {name}", f"{digits}%")

    def unit(self) -> Phrase | None:
        digits, unit = self.amount(10_000), self.one([*spoken_forms.UNITS])
        if not self.mine(digits):
            return None
        name = self.one(spoken_forms.UNITS[unit])
        return Phrase("unit", f"{self.said(digits)} {name}", f"{digits} {unit}")

    def digits(self) -> Phrase | None:
        size = self.one((3, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11, 12, 13, 16))
        digits = f"{self.random.randrange(10**size):0{size}}"
        said = self.one(spoken_forms.one_by_one(digits))
        clock = size == 3 and digits[0] != "0" and " oh " in said
        before = UNCLEAR if clock else (*ANY, "")
        return Phrase("digits", said, digits, before) if self.mine(digits) else None

    def code(self) -> Phrase | None:
        digits = str(self.random.randrange(100, 10_000 if self.random.random() < 0.5 else 1000))
        if not self.mine(digits):
            return None
        ways = [
            way for way in (*spoken_forms.one_by_one(digits), spoken_forms.paired(digits)) if way
        ]
        return Phrase("code", self.one(ways), digits, sorted(CODE_CUES))

    def unclear(self) -> Phrase | None:
        """Numbers of which nobody knows whether they are a time, a date, one number or several."""
        first = self.one((self.one(HOURS), self.random.randrange(21, 100)))
        if first % 10 and first not in (11, 12) and self.random.random() < 0.2:
            second = str(self.random.randrange(10))
        else:
            second = str(self.random.randrange(10, 100))
            if 9 < first < 13 and self.random.random() < 0.2:
                second = f"oh {second[0]}"
        form = self.one_of({"two": 6, "date": 1, "many": 2})
        if form == "date":
            first = self.one(HOURS)
            second = f"{self.random.randrange(10, 32)} {self.random.randrange(30, 100)}"
        elif form == "many":
            many = [self.one((*range(1, 13), 30, 40, 50, 60)) for _ in range(self.one((3, 4)))]
            first, second = max(many[0], 10), " ".join(map(str, many[1:]))
        if not self.mine(f"{first} {second}"):
            return None
        said = normalise_english(f"{first} {second}")
        return Phrase("unclear", said, said, UNCLEAR)

    def between(self) -> Phrase | None:
        """ "Five to ten", "two or three hundred", "between twenty and thirty thousand"."""
        top = self.one((10, 20, 400, 400))
        least, most = sorted((self.whole(1, top), self.whole(2, top)))
        composed = [str(v) for v in (least, most) if not is_word(str(v))]
        if least == most or not self.mine(*(composed or [f"{least}-{most}"])):
            return None
        a, b = self.said(str(least)), self.said(str(most))
        joined, scale = self.one(("to", "or", "and")), ""
        if self.random.random() < 0.2:  # "ten to five" may be a time, or a score
            words = most < 10 or (least < 10 and joined == "to")
            said = f"{b} {joined} {a}"
            return Phrase("range", said, said if words else f"{most} {joined} {least}")
        coins = ("", "", " dollars", " euros", " pounds")
        signs = {" percent": "%", " kilometers": " km"} | ({" p m": " pm"} if most < 13 else {})
        name = self.one((*coins, *signs))
        sign = signs.get(name, name)
        if name == sign and self.random.random() < 0.5:
            scales = ("thousand", "million", *(("hundred",) if most < 10 else ()))
            scale = f" {self.one(scales)}"
        said = f"{a} {joined} {b}{scale}{name}"
        if most < 10 and (scale or sign in ("", name)):
            return Phrase("range", said, said)
        return Phrase("range", said, f"{least} {joined} {most}{scale}{sign}")

    def both(self) -> Phrase | None:
        """Two that have nothing between them but a word."""
        before: Sequence[str] = (*ANY, "")
        if self.random.random() < 0.2:
            first, second, before = self.time(), self.time(), ("between", "from", "at")
        else:
            kinds = (self.money, self.percent, self.unit, self.year, self.decimal, self.ordinal)
            first, second = self.one(kinds)(), self.one((*kinds, self.cardinal))()
        if first is None or second is None:
            return None
        joined = f" {self.one(('and', 'to', 'or'))} "
        if second.kind == "cardinal" and self.random.random() < 0.5:
            # Not where the first could go on: "nineteen eighty" before "four hundred".
            open_year = first.kind == "year" and not re.search("[1-9][1-9]$", first.written)
            if open_year or first.kind == "decimal":
                return None
            joined = " "
        said, written = first.said + joined + second.said, first.written + joined + second.written
        return Phrase("both", said, written, before)

    def words(self) -> Phrase | None:
        """What stays in words."""
        small, scale = self.said(str(self.random.randrange(10))), self.one(sorted(SCALES))
        teen = self.random.randrange(10, 20)
        order, other = self.one(SMALL_ORDINALS), self.one(SMALL_ORDINALS)
        name = self.one(("", " dollars", " dollar", " kilometers", " euros", " pounds"))
        said, written = self.one(
            [
                (f"{scale}{name}", ""), (f"a {scale}", ""), (f"{order} {small}", ""),
                (f"the {order}", ""), (f"the {order} {small}", ""), (f"{order} and {other}", ""),
                (f"one {self.one(sorted(ORDINALS - {'first'}))}", ""),
                (self.one(sorted(DECADES)), ""), (f"{self.one(('oh', 'zero'))} {small}", ""),
                (f"the {order} {self.said(str(teen))}", f"the {order} {teen}"),
                (f"{self.said(str(teen))} second", f"{teen} second"),
            ]
        )  # fmt: skip
        before = (*NEUTRAL, "")
        if self.random.random() < 0.1:
            said, written, before = self.one(("ten", "eleven", "twelve")), "", ("quarter to",)
        alone = len(said.split()) == 1 or said.startswith(("a ", "one "))
        mine = self.mine(*(() if alone else (said,)))
        return Phrase("words", said, written or said, before) if mine else None
