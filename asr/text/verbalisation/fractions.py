"""Fractions in words, for the rules of numbers and of quantities."""

from __future__ import annotations

import re

from asr.text.verbalisation.numerals import cardinal, code, ordinal, read_number

FRACTION = r"(?:(?P<whole>\d{1,6})[ -])?(?P<above>\d{1,3})[/⁄](?P<below>\d{1,4})"
"""A pattern for `read_fraction`."""
_IDIOMS = frozenset(("24/7", "50/50", "20/20", "80/20", "60/40", "70/30"))
"""Pairs of numbers that are read one after the other."""
_UNITS_OF_FRACTIONS = frozenset((*range(2, 17), 20, 32, 64, 100, 1000))


def read_fraction(m: re.Match[str]) -> str:
    """A fraction, a rating such as 8/10, or a pair such as 24/7.

    Args:
        m: a match of `FRACTION`.
    """
    whole, above, below = m["whole"], int(m["above"]), int(m["below"])
    if m["above"] + "/" + m["below"] in _IDIOMS:
        words = f"{cardinal(above)} {cardinal(below)}"
    elif below == 10 and not whole and above <= 10:
        words = f"{cardinal(above)} out of ten"
    elif above >= below or below not in _UNITS_OF_FRACTIONS:
        words = f"{code(m['above'])} over {code(m['below'])}"
    else:
        name = {2: "half", 4: "quarter"}.get(below) or ordinal(below)
        if above > 1:
            name = "halves" if below == 2 else f"{name}s"
        words = f"{'a' if whole and above == 1 else cardinal(above)} {name}"
    return f"{read_number(whole)} and {words}" if whole else words
