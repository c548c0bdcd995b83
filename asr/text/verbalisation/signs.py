"""Rules for signs: mathematics, Greek letters, superscripts, programming languages."""

from __future__ import annotations

import re

from asr.text.verbalisation.numerals import cardinal, digit_by_digit
from asr.text.verbalisation.rules import rule

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWERS = {"2": "squared", "3": "cubed"}
_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "Δ": "delta",
    "ε": "epsilon",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "µ": "mu",
    "π": "pi",
    "σ": "sigma",
    "Σ": "sigma",
    "τ": "tau",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
    "Ω": "omega",
}
SIGNS = {
    "≤": "is less than or equal to",
    "≥": "is greater than or equal to",
    "≠": "is not equal to",
    "≈": "approximately",
    "±": "plus or minus",
    "×": "times",
    "÷": "divided by",
    "√": "the square root of",
    "∞": "infinity",
    "§": "section",
    "©": "copyright",
    "→": "to",
    "∑": "the sum of",
    "∈": "in",
    "∂": "d",
}
"""Signs and the words that they stand for."""


def _power(m: re.Match[str]) -> str:
    exponent = (m["raised"] or m["after"]).translate(_SUPERSCRIPTS)
    if exponent in _POWERS:
        return f" {_POWERS[exponent]}"
    digits = exponent.lstrip("+-−")
    words = cardinal(int(digits)) if len(digits) < 4 else digit_by_digit(digits)
    sign = "minus " if exponent[0] in "-−" else ""
    return f" to the power of {sign}{words}"


SIGN_RULES = (
    rule("signs: language", r"\b[cC]\+\+(?!\w)", lambda m: "c plus plus"),
    rule("signs: sharp", r"\b[A-G]#(?!\w)", lambda m: f"{m[0][0].lower()} sharp"),
    rule(
        "signs: power",
        r"(?<=[\w)])(?:(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,20})|\^(?P<after>[-−]?\d{1,20}))",
        _power,
    ),
    rule(
        "signs: less or greater between values",
        r"(?<=[\w)])\s(?P<spaced>[<>])\s(?=[\w(−-])|(?<=\b\w)(?P<close>[<>])(?=\w\b)",
        lambda m: " is less than " if "<" in (m["spaced"], m["close"]) else " is greater than ",
    ),
    rule(
        "signs: less or greater before a number",
        r"(?<![\w])(?P<sign><|>)\s?(?=\d)",
        lambda m: "less than " if m["sign"] == "<" else "greater than ",
    ),
    rule(
        "signs: sum or equation",
        r"(?<=[\w)])\s(?P<spaced>[+=])\s(?=[\w(−-])|(?<=\d)(?P<close>[+=])(?=\d)",
        lambda m: " plus " if "+" in (m["spaced"], m["close"]) else " equals ",
    ),
    rule("signs: quotient", r"(?<=\d)\s/\s(?=\d)", lambda m: " divided by "),
    rule("signs: about", r"(?<![\w~])~\s?(?=\d)", lambda m: "about "),
    rule("signs: asterisk between numbers", r"(?<=\d)\s?\*\s?(?=\d)", lambda m: " times "),
    rule(
        "signs: sign",
        f"[{''.join(SIGNS)}]",
        lambda m: f" {SIGNS[m[0]]} ",
    ),
    rule(
        "signs: Greek letter",
        rf"(?<![^\W\d_])(?P<letter>[{''.join(_GREEK)}])(?![^\W\d_])",
        lambda m: f" {_GREEK[m['letter']]} ",
    ),
)
