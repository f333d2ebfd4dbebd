"""Text -> the features that the ranking model weighs: stems, n-grams, syllables, jamo and concepts.

Scripts differ in what carries meaning: Latin words in stems, their neighbours and their parts; Han and kana in runs of 1 to
3 and in unordered pairs; Hangul in syllables across (unreliable) spaces, their pairs, and jamo, which survive typing slips.
Word segmentation of Japanese and Chinese hurts here, and `\\w+` tokens are dead for them. Blocks keep their own scale: each is
brought to unit length before it is weighed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import combinations, pairwise

from intents import scope

LATIN_WORD = re.compile(r"[a-z\u00e0-\u024f]+(?:'[a-z]+)?|\d+(?:[.,]\d+)?")
_CJK = re.compile(r"[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_HANGUL = re.compile(r"[\u3131-\u318e\uac00-\ud7a3]+")
_SYMBOL = re.compile(r"[\u2190-\u2bff\U0001f000-\U0001faff]")
_SUFFIXES = ("ings", "ing", "edly", "ed", "ies", "es", "ly", "s")
_L = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_V = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_T = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]

PAIRED = 20  # distinct characters of a message that are paired with each other
Features = dict[str, list[str]]
Find = Callable[[str], list[str]]


def _nothing(_text: str) -> list[str]:
    return []


def words(text: str) -> list[str]:
    """The Latin words and numbers of folded text."""
    return LATIN_WORD.findall(text)


@lru_cache(20_000)
def stem(word: str) -> str:
    """A light English stem: enough to join swell, swells, swelling; never shorter than three letters."""
    word = word.replace("'", "")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return (
        word[:-1] + "i"
        if word.endswith("y") and len(word) > 3
        else word.rstrip("e")
        if len(word) > 4
        else word
    )


def jamo(text: str) -> str:
    """Hangul syllables taken apart into their letters; everything else unchanged."""
    out: list[str] = []
    for c in text:
        code = ord(c) - 0xAC00
        if 0 <= code < 11172:
            out += _L[code // 588], _V[code % 588 // 28], _T[code % 28]
        else:
            out.append(c)
    return "".join(out)


def _grams(run: str, low: int, high: int) -> list[str]:
    return [run[i : i + n] for n in range(low, high + 1) for i in range(len(run) - n + 1)]


def extract(text: str, find: Find = _nothing) -> Features:
    """The features of folded text by block (the blocks are those of vectors.BLOCK_WEIGHTS), what is denied apart.

    `find` names the concepts in a text (see intents.lexicon). Slips are mended before (see intents.spelling).
    """
    asserted, denied = scope.split(text)
    features = _extract(asserted, find)
    if denied:
        for block, items in _extract(denied, find).items():
            features.setdefault(block, []).extend("¬" + item for item in items)
    return features


def _extract(text: str, find: Find) -> Features:
    features = _latin(words(text))
    features["word"] = [*features.get("word", ()), *_SYMBOL.findall(text)]
    if _CJK.search(text):
        features |= _han_and_kana("".join(_CJK.findall(text)))
    if _HANGUL.search(text):
        features |= _hangul(_HANGUL.findall(text))
    features["concept"] = find(text)
    return {block: list(dict.fromkeys(items)) for block, items in features.items() if items}


def _latin(tokens: list[str]) -> Features:
    stems = [stem(token) for token in tokens]
    line = f" {' '.join(tokens)} "
    return {
        "word": stems,
        "pair": _pairs(_near(list(dict.fromkeys(stems)))),
        "next": [f"{a} {b}" for a, b in pairwise(stems)],
        "skip": [f"{a} {b}" for a, b in zip(stems, stems[2:], strict=False)],
        "char": [g for token in tokens if not token[0].isdigit() for g in _grams(f"<{token}>", 2, 4)],
        "cross": _grams(line, 4, 4) if tokens else [],  # a lost or stray space costs few of these
    }


def _han_and_kana(run: str) -> Features:
    return {
        "cjk": _grams(run, 1, 2),
        "cjk3": _grams(run, 3, 3),
        "cjkpair": _pairs(combinations(list(dict.fromkeys(run))[:PAIRED], 2)),
        "edge": [*(f"^{run[:n]}" for n in (1, 2, 3)), *(f"{run[-n:]}$" for n in (1, 2, 3))],
    }


def _hangul(spaced: list[str]) -> Features:
    run = "".join(spaced)
    return {
        "syllable": _grams(run, 1, 2),
        "sylpair": _pairs(combinations(list(dict.fromkeys(run))[:PAIRED], 2)),
        "spaced": spaced,
        "start": [part[:2] for part in spaced],  # the stem of a word without its particles
        "jamo": [g for part in spaced for g in _grams(f"<{jamo(part)}>", 3, 6)],
    }


def _near(stems: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of stems at most five words apart."""
    for i, a in enumerate(stems):
        for b in stems[i + 1 : i + 6]:
            yield a, b


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Unordered: the same whichever comes first."""
    return [f"{a}&{b}" if a < b else f"{b}&{a}" for a, b in pairs]
