"""Words for digits, large numbers, months and currencies.

`asr.text` uses the tables to read written numbers aloud, `asr.inverse_normalisation` to write
spoken numbers with digits.
"""

from __future__ import annotations

from typing import NamedTuple

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

LARGE_SCALES = ("million", "billion", "trillion")
"""Scales that stay words beside digits, as in "3 million"; hundreds and thousands become zeros."""

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class Noun(NamedTuple):
    """The two forms of a noun."""

    singular: str
    plural: str

    def counted(self, number: int) -> str:
        """The form that follows `number`."""
        return self.singular if number == 1 else self.plural


class Currency(NamedTuple):
    """Names of a currency's unit and of its hundredth."""

    unit: Noun
    hundredth: Noun


CURRENCIES = {
    "$": Currency(Noun("dollar", "dollars"), Noun("cent", "cents")),
    "€": Currency(Noun("euro", "euros"), Noun("cent", "cents")),
    "£": Currency(Noun("pound", "pounds"), Noun("penny", "pence")),
}
"""Currencies by their sign."""
