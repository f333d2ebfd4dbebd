"""Text -> the features that the ranking model weighs: stems, n-grams, syllables, jamo and concepts.

Scripts differ in what carries meaning: Latin words in stems and their parts; Han in characters and pairs; kana in runs of
1 to 3; Hangul in syllables across (unreliable) spaces and in jamo, which survive typing slips. Word segmentation of
Japanese and Chinese hurts here, and `\\w+` tokens are dead for them. Blocks keep their own scale: each is brought to unit
length before it is weighed.
"""

import re
from collections.abc import Callable, Iterator
from itertools import combinations

from intents import scope

_LATIN_WORD = re.compile(r"[a-z\u00e0-\u024f]+(?:'[a-z]+)?|\d+(?:[.,]\d+)?")
_CJK = re.compile(r"[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_HANGUL = re.compile(r"[\u3131-\u318e\uac00-\ud7a3]+")
_HAN_CHAR = re.compile(r"[\u3005\u3400-\u4dbf\u4e00-\u9fff]")
_SYMBOL = re.compile(r"[\u2190-\u2bff\U0001f000-\U0001faff]")
_SUFFIXES = ("ings", "ing", "edly", "ed", "ies", "es", "ly", "s")
_LEADS = [chr(c) for c in range(0x3131, 0x314F)]
_L = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_V = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_T = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]

BLOCKS = ("word", "pair", "char", "cjk", "hanpair", "syllable", "jamo", "concept")
Features = dict[str, list[str]]
Find = Callable[[str], list[str]]
Repair = Callable[[str], str]


def _nothing(_text: str) -> list[str]:
    return []


def words(text: str) -> list[str]:
    """The Latin words and numbers of folded text."""
    return _LATIN_WORD.findall(text)


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


def _grams(run: str, low: int, high: int) -> Iterator[str]:
    for n in range(low, high + 1):
        for i in range(len(run) - n + 1):
            yield run[i : i + n]


def extract(text: str, find: Find = _nothing, repair: Repair = str) -> Features:
    """The features of folded text by block, what is denied apart from what is asserted.

    `find` names the concepts in a text (see intents.lexicon), `repair` mends a mistyped Latin word.
    """
    asserted, denied = scope.split(text)
    if not denied:
        return _extract(text, find, repair)
    features = _extract(asserted, find, repair)
    for block, items in _extract(denied, find, repair).items():
        features.setdefault(block, []).extend("¬" + item for item in items)
    return features


def _extract(text: str, find: Find, repair: Repair) -> Features:
    tokens = [repair(token) for token in words(text)]
    stems = [stem(token) for token in tokens]
    unique = list(dict.fromkeys(stems))
    features: Features = {"word": [*unique, *_SYMBOL.findall(text)]}
    features["pair"] = [f"{a}+{b}" if a < b else f"{b}+{a}" for a, b in _near_pairs(unique)]
    features["char"] = [g for token in tokens if not token[0].isdigit() for g in _grams(f"<{token}>", 3, 5)]
    if _CJK.search(text):
        run = "".join(_CJK.findall(text))
        features["cjk"] = list(_grams(run, 1, 3))
        han = list(dict.fromkeys(_HAN_CHAR.findall(run)))[:20]
        features["hanpair"] = [f"{a}&{b}" if a < b else f"{b}&{a}" for a, b in combinations(han, 2)]
    if _HANGUL.search(text):
        run = "".join(_HANGUL.findall(text))
        features["syllable"] = list(_grams(run, 1, 3))
        features["jamo"] = list(_grams(jamo(run), 3, 6))
    features["concept"] = find(text)
    return {block: list(dict.fromkeys(items)) for block, items in features.items() if items}


def _near_pairs(stems: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of stems at most five words apart, in either order."""
    for i, a in enumerate(stems):
        for b in stems[i + 1 : i + 6]:
            yield a, b
