"""The lexicon: which words stand for one concept, and which make a report a question, a denial or a memory. Data, one file a language.

lexicon/<lang>.yaml            concepts: concept -> lay words, slang, spellings, medical terms
                               markers: hypothetical | denied | past -> words
lexicon/everyday/<lang>.yaml   concepts of everyday life: what tells that a message is about something else altogether
A new word takes effect at the next start; nothing in code names a word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from intents.text import fold

FOLDER = Path(__file__).parent / "lexicon"
MARKERS = ("hypothetical", "denied", "past")
Markers = dict[str, dict[str, tuple[str, ...]]]
_WORD = re.compile(r"[a-z0-9\u00e0-\u024f']+")
_UNSPACED = re.compile(r"[\u3005\u3040-\u30ff\u3131-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_LETTER = re.compile("[a-z0-9]")
Lengths = dict[str, list[int]]  # how words begin -> lengths of those that begin so, longest first
_ALONE = [1]
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True)
class Lexicon:
    """Finds the concepts in folded text, in every language at once, and the markers of the language it is written in."""

    concepts: dict[str, str]  # folded word or phrase -> concept; without spaces where the script needs none
    markers: Markers  # language -> kind of marker -> folded words
    lengths: Lengths  # of the unspaced words among the concepts
    sizes: Lengths  # of the phrases of several words, in words, by their first two words
    marked: dict[str, tuple[dict[str, frozenset[str]], Lengths]]  # language -> markers' kinds and lengths

    @staticmethod
    def load(folder: Path = FOLDER) -> "Lexicon":
        """Raises ValueError naming the file when one is broken."""
        concepts: dict[str, str] = {}
        markers: Markers = {}
        for path in _files(folder):
            try:
                data = yaml.load(path.read_bytes(), Loader=_Loader) or {}  # noqa: S506 - strings only
                for concept, forms in (data.get("concepts") or {}).items():
                    concepts.update({_written(fold(form)): concept for form in forms})
                if marked := data.get("markers"):
                    markers[path.stem] = {
                        kind: tuple(fold(form) for form in forms)
                        for kind, forms in marked.items()
                        if kind in MARKERS
                    }
            except (yaml.YAMLError, AttributeError, TypeError, KeyError) as err:
                raise ValueError(f"{path} cannot be read: {err}") from err
        concepts.pop("", None)
        return Lexicon.of(concepts, markers)

    @staticmethod
    def of(concepts: dict[str, str], markers: Markers, lengths: Lengths | None = None) -> "Lexicon":
        """From words that are folded already; `lengths` where they are known from before."""
        unspaced = lengths or _lengths(word for word in concepts if _UNSPACED.search(word))
        marked = {lang: _kinds(forms) for lang, forms in markers.items()}
        return Lexicon(concepts, markers, unspaced, _sizes(concepts), marked)

    def find(self, text: str) -> list[str]:
        """The concepts that folded `text` names; where words overlap, the longest from the left."""
        found = self._spaced(_WORD.findall(text))
        if _UNSPACED.search(text):
            found += self._unspaced(text.replace(" ", ""))
        return list(dict.fromkeys(found))

    def _spaced(self, words: list[str]) -> list[str]:
        found, at = [], 0
        while at < len(words):
            for size in self.sizes.get(" ".join(words[at : at + 2]), _ALONE):
                concept = self.concepts.get(" ".join(words[at : at + size]))
                if concept:
                    found.append(concept)
                    at += size - 1
                    break
            at += 1
        return found

    def _unspaced(self, run: str) -> list[str]:
        found, at = [], 0
        while at < len(run):
            for size in self.lengths.get(run[at : at + 2]) or self.lengths.get(run[at], []):
                concept = self.concepts.get(run[at : at + size])
                if concept:
                    found.append(concept)
                    at += size - 1
                    break
            at += 1
        return found

    def marks(self, text: str, language: str) -> frozenset[str]:
        """Which kinds of markers of `language` folded `text` holds: whole words where words are spaced, anywhere else.

        What marks a question in one language is part of a word in another.
        """
        kinds, lengths = self.marked.get(language, ({}, {}))
        found: set[str] = set()
        for at in range(len(text)):
            for size in lengths.get(text[at : at + 2]) or lengths.get(text[at], []):
                kind = kinds.get(text[at : at + size])
                if kind and not kind <= found and _is_whole(text, at, at + size):
                    found |= kind
        return frozenset(found)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no letter or figure goes on before or after a Latin word."""
    if not _WORD.match(text[start]):
        return True
    return not (start and _LETTER.match(text[start - 1])) and not _LETTER.match(text[end : end + 1])


def _written(form: str) -> str:
    """Spaces in Korean, and around figures in all three, are as people like."""
    return form.replace(" ", "") if _UNSPACED.search(form) else form


def _lengths(words: Iterable[str]) -> Lengths:
    """Words of one character count for every pair that begins with it."""
    sizes: dict[str, set[int]] = {}
    for word in words:
        sizes.setdefault(word[:2], set()).add(len(word))
    for start in sizes:
        sizes[start] |= sizes.get(start[0], set())
    return {start: sorted(found, reverse=True) for start, found in sizes.items()}


def _sizes(phrases: Iterable[str]) -> Lengths:
    """Longest first, and a word alone comes last."""
    sizes: dict[str, set[int]] = {}
    for phrase in phrases:
        if " " in phrase:
            first, second, *_ = phrase.split(" ", 2)
            sizes.setdefault(f"{first} {second}", {1}).add(1 + phrase.count(" "))
    return {start: sorted(found, reverse=True) for start, found in sizes.items()}


def _kinds(markers: dict[str, tuple[str, ...]]) -> tuple[dict[str, frozenset[str]], Lengths]:
    kinds: dict[str, frozenset[str]] = {}
    for kind, forms in markers.items():
        for form in forms:
            kinds[form] = kinds.get(form, frozenset()) | {kind}
    kinds.pop("", None)
    return kinds, _lengths(kinds)


def version(folder: Path = FOLDER) -> bytes:
    """The text of all files, for whoever keeps what was learned from them."""
    return b"".join(path.read_bytes() for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("**/*.yaml"))
