"""Rules for abbreviations: titles, streets and states, dotted letters, and common short forms."""

from __future__ import annotations

import re

from asr.text.verbalisation.numerals import digit_by_digit
from asr.text.verbalisation.rules import full_stop, letter_names, rule, words_of

TITLES = {
    "Mr": "mister",
    "Mrs": "missis",
    "Ms": "ms",
    "Dr": "doctor",
    "Prof": "professor",
    "St": "saint",
    "Sgt": "sergeant",
    "Gov": "governor",
    "Sen": "senator",
    "Rep": "representative",
    "Rev": "reverend",
    "Gen": "general",
    "Col": "colonel",
    "Capt": "captain",
    "Cpt": "captain",
    "Lt": "lieutenant",
    "Mt": "mount",
    "Ft": "fort",
    "Fr": "father",
    "Hon": "honorable",
    "Pres": "president",
    "Cmdr": "commander",
    "Adm": "admiral",
    "Maj": "major",
}
"""Titles before a name, with or without a dot."""
_ONLY_WITH_DOT = frozenset(("Col", "Rep", "Hon", "Pres", "Fr", "Ft", "Gen", "Adm", "Maj", "Mt"))
STREETS = {
    "St": "street",
    "Dr": "drive",
    "Ave": "avenue",
    "Rd": "road",
    "Blvd": "boulevard",
    "Ln": "lane",
    "Ct": "court",
    "Pl": "place",
    "Sq": "square",
    "Pkwy": "parkway",
    "Hwy": "highway",
    "Ter": "terrace",
}
"""Kinds of streets after a name."""
_DIRECTIONS = {
    "N": "north",
    "S": "south",
    "E": "east",
    "W": "west",
    "NE": "northeast",
    "NW": "northwest",
    "SE": "southeast",
    "SW": "southwest",
}
_STATES = dict(
    pair.split("=")
    for pair in words_of(
        "AL=Alabama AK=Alaska AZ=Arizona AR=Arkansas CA=California CO=Colorado CT=Connecticut "
        "DE=Delaware FL=Florida GA=Georgia HI=Hawaii ID=Idaho IL=Illinois IN=Indiana IA=Iowa "
        "KS=Kansas KY=Kentucky LA=Louisiana ME=Maine MD=Maryland MA=Massachusetts MI=Michigan "
        "MN=Minnesota MS=Mississippi MO=Missouri MT=Montana NE=Nebraska NV=Nevada "
        "NH=New_Hampshire NJ=New_Jersey NM=New_Mexico NY=New_York NC=North_Carolina "
        "ND=North_Dakota OH=Ohio OK=Oklahoma OR=Oregon PA=Pennsylvania RI=Rhode_Island "
        "SC=South_Carolina SD=South_Dakota TN=Tennessee TX=Texas UT=Utah VT=Vermont VA=Virginia "
        "WA=Washington WV=West_Virginia WI=Wisconsin WY=Wyoming"
    )
)
"""Postal codes of the United States; underscores are spaces."""
ABBREVIATIONS = {
    "etc.": "et cetera",
    "vs.": "versus",
    "e.g.": "for example",
    "i.e.": "that is",
    "jr.": "junior",
    "sr.": "senior",
    "approx.": "approximately",
    "dept.": "department",
    "govt.": "government",
    "inc.": "incorporated",
    "ltd.": "limited",
    "co.": "company",
    "corp.": "corporation",
    "bros.": "brothers",
    "assn.": "association",
    "univ.": "university",
    "misc.": "miscellaneous",
    "ext.": "extension",
    "tel.": "telephone",
    "apt.": "apartment",
    "ste.": "suite",
    "est.": "established",
    "max.": "maximum",
    "avg.": "average",
    "incl.": "including",
    "excl.": "excluding",
    "cf.": "compare",
    "ca.": "circa",
    "fig.": "figure",
    "figs.": "figures",
    "vol.": "volume",
    "vols.": "volumes",
    "ch.": "chapter",
    "sec.": "section",
    "w/": "with",
    "w/o": "without",
}
"""Abbreviations in any case."""
_BEFORE_NUMBERS = {
    "p.": "page",
    "pp.": "pages",
    "c.": "circa",
    "nos.": "numbers",
    "min.": "minimum",
    "No.": "number",
    "art.": "article",
    "par.": "paragraph",
}
"""Abbreviations only before a number."""
_SENTENCE_FINAL = frozenset(("etc.", "jr.", "sr.", "inc.", "ltd.", "co.", "corp.", "bros."))
"""Abbreviations that can end a sentence."""
_AMBIGUOUS = frozenset(("co.", "ch.", "sec.", "ste.", "est.", "max.", "ca.", "ext.", "tel."))
"""Abbreviations that are also ends of sentences or names: they need a capital or a number next."""


def _street(m: re.Match[str]) -> str:
    return STREETS[m["street"]] + (full_stop(m) if m[0].endswith(".") else "")


def _abbreviation(m: re.Match[str]) -> str | None:
    short = m[0].lower()
    if short in _AMBIGUOUS and not re.compile(r"\s?(?:[A-Z]|\d|\Z)").match(m.string, m.end()):
        return None
    long = ABBREVIATIONS[short]
    if m[0][0].isupper():
        long = long.capitalize()
    return long + (full_stop(m) if short in _SENTENCE_FINAL else "")


def _before_number(m: re.Match[str]) -> str:
    short = m["short"]
    return (_BEFORE_NUMBERS.get(short) or _BEFORE_NUMBERS[short.lower()]) + " "


def _zip(m: re.Match[str]) -> str:
    place = _STATES[m["state"]].replace("_", " ").lower()
    return f", {place}, {digit_by_digit(m['zip'])}" if m["zip"] else f", {place}"


def _direction(m: re.Match[str]) -> str:
    return _DIRECTIONS[m["direction"].rstrip(".")]


def _alternatives(words: object) -> str:
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))  # type: ignore


_KIND = _alternatives(STREETS)
ADDRESS_RULES = (
    rule(
        "addresses: state and ZIP code",
        rf"(?<=[a-z]),\s(?P<state>{'|'.join(_STATES)})\b(?:\s(?P<zip>\d{{5}})(?:-\d{{4}})?\b)?",
        _zip,
    ),
    rule(
        "addresses: direction before the street",
        r"(?<=\d )(?P<direction>[NSEW]\.?)(?=\s(?:\d|[A-Z][a-z]))",
        _direction,
    ),
    rule(
        "addresses: direction behind the street",
        rf"(?<=[a-z])(?P<kind>\s(?:{_KIND})\.?)\s(?P<direction>NE|NW|SE|SW)\b",
        lambda m: f" {STREETS[m['kind'].strip().rstrip('.')]} {_DIRECTIONS[m['direction']]}",
    ),
    rule(
        "addresses: street with a number",
        rf"(?P<before>\b\d{{1,5}}[A-Z]?(?:\s(?:north|south|east|west))?(?:\s[A-Z][\w']{{0,20}}"
        rf"|\s\d{{1,3}}(?:st|nd|rd|th)){{1,3}}\s)(?P<street>{_KIND})(?:\.|(?=\s*(?:[,;]|\Z)))",
        lambda m: m["before"] + _street(m),
    ),
    rule(
        "addresses: street",
        rf"(?<=[a-z] )(?<!\b[Tt]he )(?<!\bin )(?<!\bof )(?P<street>{_KIND})\."
        rf"(?!\s+[A-Z][a-z]+(?!\w))",
        _street,
    ),
    rule("addresses: box", r"\bP\.?\s?O\.?\s(?=Box\b)", lambda m: letter_names("PO") + " "),
)
"""Rules for postal addresses. They stand before those for units: the W of "45 W. 34th St." is no
watt."""
ABBREVIATION_RULES = (
    rule(
        "abbreviations: title",
        rf"\b(?:(?P<dotted>{_alternatives(TITLES)})\.(?=\s|\Z)"
        rf"|(?P<bare>{_alternatives(set(TITLES) - _ONLY_WITH_DOT)})(?=\s[A-Z]))",
        lambda m: TITLES[m["dotted"] or m["bare"]].capitalize(),
    ),
    rule(
        "abbreviations: before a number",
        rf"(?<![\w.])(?P<short>{_alternatives(_BEFORE_NUMBERS)}|Nos\.|Pp\.|P\.|Min\.|Art\.)\s?(?=\d)",
        _before_number,
    ),
    rule(
        "abbreviations: common",
        rf"(?<![\w.])(?i:{_alternatives(ABBREVIATIONS)})(?!\w)",
        _abbreviation,
    ),
    rule("abbreviations: rock 'n' roll", r"(?<=\w )'n'(?= \w)", lambda m: "and"),
    rule(
        "abbreviations: letters with dots",
        r"(?<![\w.])(?:[A-Za-z]\.(?=[A-Za-z]\.)|[A-Z][a-z]\.(?=[A-Z][a-z]?\.)){1,6}"
        r"[A-Za-z]{1,2}\.(?!\w)",
        lambda m: letter_names(m[0]) + full_stop(m),
    ),
    rule(
        "abbreviations: degree",
        r"\b(?P<degree>PhD|MSc|BSc|MEng|DPhil|MPhil|LLM|EdD)(?P<plural>s?)\b",
        lambda m: letter_names(m["degree"]) + ("'s" if m["plural"] else ""),
    ),
    rule(
        "abbreviations: initial of a name",
        r"\b(?P<letter>[A-HJ-Z])\.(?=\s+[A-Z\ue061-\ue07a])",
        lambda m: letter_names(m["letter"]),
    ),
)
