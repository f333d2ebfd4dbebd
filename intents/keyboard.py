"""Keyboard-layout slips: Korean typed while the keyboard was set to English ("dkvkdy" for 아파요)."""

import re

_FINALS = [
    "",
    "r",
    "R",
    "rt",
    "s",
    "sw",
    "sg",
    "e",
    "f",
    "fr",
    "fa",
    "fq",
    "ft",
    "fx",
    "fv",
    "fg",
    "a",
    "q",
    "qt",
    "t",
    "T",
    "d",
    "w",
    "c",
    "z",
    "x",
    "v",
    "g",
]
_LEAD = "rRseEfaqQtTdwWczxvg"
_VOWEL_LIST = [
    "k",
    "o",
    "i",
    "O",
    "j",
    "p",
    "u",
    "P",
    "h",
    "hk",
    "ho",
    "hl",
    "y",
    "n",
    "nj",
    "np",
    "nl",
    "b",
    "m",
    "ml",
    "l",
]
_SYLLABLE = re.compile(
    "([rRseEfaqQtTdwWczxvg])(hk|ho|hl|nj|np|nl|ml|[koiOjpuPhynbml])"
    "((?:rt|sw|sg|fr|fa|fq|ft|fx|fv|fg|qt|[rRsefaqtTdwczxvg])(?![koiOjpuPhynbml]))?"
)
_CAPITALS_THAT_MATTER = set("QWERTOP")
_LETTERS = re.compile("[A-Za-z]")


def from_english_layout(text: str) -> str | None:
    """The Hangul that these keys type on a Korean keyboard, or None when they do not spell syllables throughout."""
    if not text.isascii():
        return None
    letters = len(_LETTERS.findall(text))
    if letters < 4:
        return None
    keys = "".join(c if c in _CAPITALS_THAT_MATTER else c.lower() for c in text)
    used = 0

    def compose(m: re.Match[str]) -> str:
        nonlocal used
        used += len(m[0])
        lead, vowel, final = _LEAD.index(m[1]), _VOWEL_LIST.index(m[2]), _FINALS.index(m[3] or "")
        return chr(0xAC00 + lead * 588 + vowel * 28 + final)

    done = _SYLLABLE.sub(compose, keys)
    return done if used >= 0.9 * letters else None
