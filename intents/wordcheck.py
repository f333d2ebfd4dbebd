"""What can be said about a patient's text without understanding it: its names, doses, length of sentences, script."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# Characters of a sentence without spaces from which it is hard to read on a phone; English: Flesch-Kincaid grade.
LONGEST_SENTENCE = {"ja": 70, "ko": 60, "zh": 60}
GRADE = 8.0
# Words in Latin letters that are written so in every language: materials of threads, the messengers, vitamins.
WRITTEN_IN_LATIN = frozenset(
    (
        "PDO", "PCL", "PLLA", "PLA", "LINE", "Telegram", "DOI", "OK", "A", "C", "D", "E", "K", "Q&A", "UV", "SPF",
        "MRI", "CT", "ID", "QR", "PDF", "SNS", "AED", "URL", "start", "stop",
    )
)  # fmt: skip

_SENTENCE = re.compile(r"(?<=[.!?。！？])[\s\"'」』）)]+|(?<=[。！？])|\n+")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?", re.I)
_VOWELS = re.compile(r"[aeiouy]+")
_LATIN = re.compile(r"[A-Za-z](?:[A-Za-z'&-]*[A-Za-z])?")
_COMMAND = re.compile(r"/[a-z]+|https?://\S+|\S+@\S+")
_DOSE = re.compile(
    r"\d[\d.,]*\s?(?:mg|mcg|µg|milligrams?|ml|millilit(?:er|re)s?|IU|毫克|微克|毫升|ミリグラム|밀리그램|밀리그람)(?![a-z])"
    r"|\d\s?(?:tablets?|pills?|capsules?)\b|[\d一二两三]\s?(?:錠|カプセル|片药|粒药|알씩|정씩)",
    re.I,
)
# Said of a group of medicines, as in "aspirin-type medicines can add to bleeding": a warning, not advice.
_GROUP = r"(?!\s?(?:-?(?:type|like)\b|系|계열|类|類))"
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@cache
def _medicines() -> re.Pattern[str]:
    lists = yaml.load((Path(__file__).parent / "medicines.yaml").read_bytes(), Loader=_Loader)  # noqa: S506 - strings
    names = sorted({name for names in lists.values() for name in names}, key=lambda name: (-len(name), name))
    words = "|".join(rf"\b{re.escape(name)}s?\b" if name.isascii() else re.escape(name) for name in names)
    first = "".join(sorted({re.escape(name[0]) for name in names}))  # a look at one letter spares most trials
    return re.compile(f"(?=[{first}])(?:{words}){_GROUP}", re.I)


def medicines(text: str) -> list[str]:
    """Names of medicines in `text`, in any of the languages, in order."""
    return list(dict.fromkeys(_medicines().findall(text)))


def doses(text: str) -> list[str]:
    """Amounts of a medicine in `text`, such as "500 mg" or "2 tablets"."""
    return [match[0] for match in _DOSE.finditer(text)]


def english_left(text: str) -> list[str]:
    """Latin words in a text of another language that are not written so in every language."""
    bare = _COMMAND.sub(" ", _PLACEHOLDER.sub(" ", text))
    return [word for word in _LATIN.findall(bare) if word not in WRITTEN_IN_LATIN]


@cache
def _to_simplified() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def traditional_left(text: str) -> str:
    """The characters of `text` that only Traditional Chinese uses."""
    simple: str = _to_simplified().convert(text)
    if len(simple) != len(text):
        return "".join(c for c in text if _to_simplified().convert(c) != c)
    return "".join(a for a, b in zip(text, simple, strict=True) if a != b)


def sentences(text: str) -> list[str]:
    """The sentences of `text`; a line break ends one too."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def longest_sentence(text: str) -> tuple[int, str]:
    """(characters without spaces, the sentence) of the longest sentence."""
    return max(
        ((len(re.sub(r"\s", "", s)), s) for s in sentences(_PLACEHOLDER.sub("0", text))), default=(0, "")
    )


def reading_grade(text: str) -> float:
    """Flesch-Kincaid grade of an English text: the years of school after which it is easily read.

    0.39 words/sentence + 11.8 syllables/word - 15.59 (Kincaid et al., 1975); syllables are counted by vowel groups.
    """
    bare = _PLACEHOLDER.sub("0", text)
    words = _WORD.findall(bare)
    if not words:
        return 0.0
    count = max(1, sum(bool(_WORD.search(s)) for s in sentences(bare)))
    return 0.39 * len(words) / count + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def _syllables(word: str) -> int:
    word = word.lower()
    groups = len(_VOWELS.findall(word))
    mute_e = word.endswith("e") and not word.endswith(("le", "ee", "ie"))
    mute_ed = word.endswith("ed") and not word.endswith(("ted", "ded"))
    return max(1, groups - (mute_e or mute_ed))
