"""Rules for amounts of money, with the currency before or behind the number."""

from __future__ import annotations

import re

from asr.text.number_words import CURRENCIES, Currency, Noun
from asr.text.verbalisation.numerals import cardinal, decimal_text, read_number
from asr.text.verbalisation.rules import DASH, is_attributive, rule

_CENT = Noun("cent", "cents")


def _dollars(country: str) -> Currency:
    return Currency(Noun(f"{country} dollar", f"{country} dollars"), _CENT)


def _undivided(singular: str, plural: str) -> Currency:
    """A currency whose hundredths are not used or read."""
    return Currency(Noun(singular, plural), Noun("", ""))


SIGNS = {
    **CURRENCIES,
    "¥": _undivided("yen", "yen"),
    "₹": Currency(Noun("rupee", "rupees"), Noun("paisa", "paise")),
    "₩": _undivided("won", "won"),
    "₽": _undivided("ruble", "rubles"),
    "₺": _undivided("lira", "lira"),
    "₪": _undivided("shekel", "shekels"),
    "₿": _undivided("bitcoin", "bitcoins"),
    "US$": Currency(Noun("U S dollar", "U S dollars"), _CENT),
    "CA$": _dollars("canadian"),
    "C$": _dollars("canadian"),
    "AU$": _dollars("australian"),
    "A$": _dollars("australian"),
    "NZ$": _dollars("new zealand"),
    "HK$": _dollars("hong kong"),
    "R$": _undivided("real", "reals"),
    "Rs.": Currency(Noun("rupee", "rupees"), Noun("paisa", "paise")),
    "Rs": Currency(Noun("rupee", "rupees"), Noun("paisa", "paise")),
}
"""Currencies by their sign."""
CODES = {
    "USD": SIGNS["US$"],
    "EUR": SIGNS["€"],
    "GBP": Currency(Noun("british pound", "british pounds"), Noun("penny", "pence")),
    "JPY": SIGNS["¥"],
    "CNY": _undivided("yuan", "yuan"),
    "INR": SIGNS["₹"],
    "KRW": SIGNS["₩"],
    "CAD": SIGNS["C$"],
    "AUD": SIGNS["A$"],
    "NZD": SIGNS["NZ$"],
    "CHF": _undivided("swiss franc", "swiss francs"),
    "SEK": _undivided("swedish krona", "swedish kronor"),
    "BTC": SIGNS["₿"],
}
"""Currencies by their ISO 4217 code."""
SCALES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "mm": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
}
"""Letters behind an amount, in small letters."""
_PERIODS = {
    "h": "hour",
    "hr": "hour",
    "mo": "month",
    "yr": "year",
    "wk": "week",
    "min": "minute",
    "lb": "pound",
    "kg": "kilogram",
    "oz": "ounce",
    "gal": "gallon",
}
_AMOUNT = (
    r"(?:\d{1,3}(?:,\d{3}){1,6}(?!\d)(?:\.\d{1,4})?|\d{1,3}(?:\.\d{3}){1,6}(?!\d)(?:,\d{1,2})?"
    r"|\d{1,15}(?:[.,]\d{1,4}(?!\d))?|\.\d{1,4}(?!\d))"
)
_SCALE = r"(?:\s?(?:thousand|million|billion|trillion)\b|(?:mn|mm|bn|tn|BN|MM|MN|Bn|[kmbtKMBT])\b)?"
_SIGN = "|".join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))
_CODE = "|".join(CODES)
_BEHIND = r"[€£¥₹₩₽₺₪₿$]"


def _currency(written: str) -> Currency:
    return SIGNS.get(written) or CODES[written]


def _plain(amount: str, currency: Currency) -> str:
    """English digits. A point before exactly three digits separates thousands of euros and of most
    currencies, but no thousands of dollars and pounds."""
    english = currency.unit.singular.endswith(("dollar", "pound"))
    if not english and re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", amount):
        return amount.replace(".", "")
    return decimal_text(amount)


def _scaled(plain: str, scale: str) -> str:
    name = scale.strip()
    return f"{read_number(plain)} {SCALES.get(name.lower(), name)}".rstrip()


def _read(amount: str, scale: str, currency: Currency, attributive: bool) -> str:
    unit, hundredth = currency
    plain = _plain(amount, currency)
    whole, _, fraction = plain.partition(".")
    if scale or len(fraction) not in (0, 2) or (not hundredth.singular and fraction):
        unit_word = unit.singular if attributive else unit.plural
        return f"{_scaled(plain, scale)} {unit_word}"
    if len(whole) > 15:
        return f"{read_number(whole)} {unit.plural}"
    counts = [(int(whole or "0"), unit), (int(fraction or "0"), hundredth)]
    words = [
        f"{cardinal(count)} {noun.singular if attributive else noun.counted(count)}"
        for count, noun in counts
        if count
    ]
    return " ".join(words) or f"zero {unit.plural}"


def _money(m: re.Match[str]) -> str:
    attributive = is_attributive(m)
    words = _read(m["amount"], m["scale"], _currency(m["currency"]), attributive)
    if m["period"]:
        words += f" per {_PERIODS.get(m['period'], m['period'])}"
    return words


def _range(m: re.Match[str]) -> str:
    currency, last_scale = _currency(m["currency"]), m["last_scale"]
    first_scale = m["first_scale"] if m["first_scale"] != last_scale else ""
    first = _scaled(_plain(m["first"], currency), first_scale)
    words = _read(m["last"], last_scale, currency, is_attributive(m))
    return f"{first} to {words}"


_PERIOD = r"(?:/(?P<period>[a-z]{1,12})\b)?"
MONEY_RULES = (
    rule(
        "money: from … to",
        rf"(?<!\w)(?P<currency>{_SIGN})\s?(?P<first>{_AMOUNT})(?P<first_scale>{_SCALE})\s?{DASH}\s?"
        rf"(?:{_SIGN})?(?P<last>{_AMOUNT})(?P<last_scale>{_SCALE})(?![\w.]\d)",
        _range,
    ),
    rule(
        "money: sign before the number",
        rf"(?<!\w)(?P<currency>{_SIGN})\s?(?P<amount>{_AMOUNT})(?P<scale>{_SCALE}){_PERIOD}",
        _money,
    ),
    rule(
        "money: code before the number",
        rf"\b(?P<currency>{_CODE})\s?(?P<amount>{_AMOUNT})(?P<scale>{_SCALE})(?!\w){_PERIOD}",
        _money,
    ),
    rule(
        "money: sign or code behind the number",
        rf"(?<![\w.])(?<!\d,)(?P<amount>{_AMOUNT})(?P<scale>{_SCALE})[\s\u00a0]?"
        rf"(?P<currency>{_BEHIND}|(?:{_CODE})\b)(?![\d.]\d){_PERIOD}",
        _money,
    ),
    rule(
        "money: cents",
        r"(?<![\w.])(?P<cents>\d{1,4})\s?¢",
        lambda m: f"{cardinal(int(m['cents']))} {_CENT.counted(int(m['cents']))}",
    ),
)
