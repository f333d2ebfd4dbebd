"""Raw text -> normalised text, and which language it is written in.

Normalisation folds what carries no meaning (width, case, kana, Traditional/Simplified, stretched letters) and keeps what
does: digits, marks of scripts that need them, and emoji, which patients use as words.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MAX_LENGTH = 4096
HAN = r"\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
KANA = r"\u3040-\u30ff"
HANGUL = r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3"
_HAN, _KANA, _HANGUL = (re.compile(f"[{block}]") for block in (HAN, KANA, HANGUL))
_LATIN = re.compile(r"[a-z\u00c0-\u024f]", re.I)
_DEGREES = re.compile(r"°\s?[CF]\b", re.I)  # no word of any language
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}|([~～ー…!！?？。・.ㅠㅜㅋㅎ])\2+")
_INVISIBLE = re.compile(
    r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufe0f\U000e0000-\U000e007f]"
)


@dataclass(frozen=True, slots=True)
class Normalised:
    """`text` is folded for comparison; `raw` is what was typed, cut to MAX_LENGTH."""

    raw: str
    text: str
    language: str
    traditional: bool

    @property
    def is_empty(self) -> bool:
        return not self.text

    @property
    def only_han(self) -> bool:
        """Whether Han is the only one of the scripts that tell a language."""
        return bool(_HAN.search(self.raw)) and not (_KANA.search(self.raw) or _HANGUL.search(self.raw))

    def part(self, raw: str) -> "Normalised":
        """One sentence of the text."""
        return Normalised(raw, fold(raw), self.language, self.traditional)

    def in_language(self, language: str) -> "Normalised":
        return Normalised(self.raw, self.text, language, language == "zh" and is_traditional(self.raw))


HAN_TABLE = Path(__file__).with_name(
    "han.json"
)  # from OpenCC, whose own tables take a quarter of a second to load


@cache
def _tables() -> tuple[dict[int, str], frozenset[str], frozenset[str]]:
    """Traditional -> Simplified character, and the characters that only one of the two scripts uses."""
    table = json.loads(HAN_TABLE.read_bytes())
    simple = dict(zip(map(ord, table["traditional"]), table["simplified"], strict=True))
    return simple, frozenset(table["traditional"]), frozenset(table["only_simplified"])


# NFKC turns the jamo of "ㅠㅠ" and "ㅋㅋ" into letters of syllables; turned back, they stay what was typed.
_JAMO = {
    ord(folded): c
    for c in map(chr, range(0x3131, 0x318F))
    if len(folded := unicodedata.normalize("NFKC", c)) == 1
}
_KATAKANA_TO_HIRAGANA = {code: chr(code - 0x60) for code in range(0x30A1, 0x30F7)}
_APOSTROPHES = dict.fromkeys(map(ord, "’‘`"), "'")


@cache
def _folding() -> dict[int, str]:
    return {**_tables()[0], **_JAMO, **_KATAKANA_TO_HIRAGANA, **_APOSTROPHES}


def fold(text: str) -> str:
    """The text as it is compared: NFKC, lower case, hiragana, Simplified, at most two of the same letter in a row."""
    text = (
        _INVISIBLE.sub("", unicodedata.normalize("NFKC", text[:MAX_LENGTH])).casefold().translate(_folding())
    )
    text = _STRETCHED.sub(lambda m: m[0][0] * 2 if m[1] and m[1].isascii() else m[0][0], text)
    return " ".join(text.split())


def bare(folded: str) -> str:
    """Folded text without the marks around it: "why?" and "why..." are the same words."""
    return folded.strip(" .,!?。、，！？/~〜…")


def normalise(text: str, hint: str | None = None) -> Normalised:
    """Fold a message once and guess its language; `hint` is the patient's language, taken where the script leaves it open."""
    raw = text[:MAX_LENGTH]
    language = guess_language(raw, hint)
    return Normalised(raw, fold(raw), language, language == "zh" and is_traditional(raw))


def guess_language(text: str, hint: str | None = None) -> str:
    """The language to answer in, from the script. Han alone is Chinese unless the patient is known to write Japanese."""
    if text.isascii():
        return "en" if not hint or _LATIN.search(text) else hint
    text = _DEGREES.sub("", unicodedata.normalize("NFKC", text))
    kana, hangul, han = (len(pattern.findall(text)) for pattern in (_KANA, _HANGUL, _HAN))
    latin = len(_LATIN.findall(text)) / 4  # a Latin letter says less than a syllable or character
    if kana + hangul + han == 0:
        return "en" if latin or not hint else hint
    if hangul and hangul >= kana + han / 2:
        return "ko"
    if kana:
        return "ja"
    if hint == "ja" and not is_chinese_only(text):
        return "ja"
    if _looks_japanese(text):
        return "ja"
    return "zh" if han * 4 >= latin else "en"


# Words written in Han alone that Japanese patients search with and Chinese patients do not use.
_JAPANESE_HAN = (
    "糸",
    "腫れ",
    "何日",
    "何時",
    "痛",
    "施術",
    "副作用",
    "予約",
    "値段",
    "料金",
    "化粧",
    "洗顔",
    "運動",
    "飲酒",
    "喫煙",
    "効果",
    "期間",
)
_CHINESE_PARTICLES = frozenset("吗嗎呢吧啊了的么麼们們你妳您佢咗嘅冇唔係点點怎这這那")
_JAPANESE_SHAPES = frozenset("糸図対応実検価労働気発変続読売広帰駅験経済単戻歳壊悪覚団転伝両焼県黒歯頬込")


def _looks_japanese(text: str) -> bool:
    _, _, simplified = _tables()
    han = frozenset(_HAN.findall(text))
    return bool(han & _JAPANESE_SHAPES) and not (han & simplified) - _JAPANESE_SHAPES


def is_chinese_only(text: str) -> bool:
    """Whether the text holds characters or particles that no Japanese text has."""
    _, _, simplified = _tables()
    characters = frozenset(text)
    return bool((characters & simplified) - _JAPANESE_SHAPES or characters & _CHINESE_PARTICLES)


# Characters that OpenCC takes for Simplified and that people who write Traditional use as well.
_OF_BOTH = frozenset("吃晒台郁唇床游吓划秘群霉斗里峰准干岩痴皂后")
_CANTONESE = frozenset("佢咗嘅冇唔哋喺啲嘢咩嚟㗎啱嗰喎瞓攰睇")


@cache
def _scripts() -> tuple[frozenset[str], frozenset[str]]:
    """Characters that speak for Traditional text, and for Simplified."""
    _, traditional, simplified = _tables()
    return traditional | _CANTONESE, simplified - _OF_BOTH


def is_traditional(text: str) -> bool:
    """Whether Chinese text is written in Traditional rather than Simplified characters, as Cantonese is where none tells."""
    of_one, of_other = _scripts()
    return sum(map(of_one.__contains__, text)) > sum(map(of_other.__contains__, text))
