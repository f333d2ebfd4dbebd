"""The lexicon: which words stand for one concept, and which make a report a question, a denial or a memory. Data, one file a language.

lexicon/<lang>.yaml   concepts: concept -> lay words, slang, spellings, medical terms
                      markers: hypothetical | denied | past -> words
A new word takes effect at the next start; nothing in code names a word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from intents.text import fold

FOLDER = Path(__file__).parent / "lexicon"
MARKERS = ("hypothetical", "denied", "past")
_SPACED = re.compile(r"[a-z0-9]")
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True)
class Lexicon:
    """Finds the concepts and markers in folded text, in every language at once."""

    concepts: dict[str, str]  # folded word -> concept
    longest: int
    pattern: re.Pattern[str]
    markers: dict[str, re.Pattern[str]]

    @staticmethod
    def load(folder: Path = FOLDER) -> "Lexicon":
        """Raises ValueError naming the file when one is broken."""
        concepts: dict[str, str] = {}
        markers: dict[str, list[str]] = {kind: [] for kind in MARKERS}
        for path in sorted(folder.glob("*.yaml")):
            try:
                data = yaml.load(path.read_bytes(), Loader=_Loader) or {}  # noqa: S506 - strings only
                for concept, forms in (data.get("concepts") or {}).items():
                    concepts.update({fold(form): concept for form in forms})
                for kind, forms in (data.get("markers") or {}).items():
                    markers[kind] += [fold(form) for form in forms]
            except (yaml.YAMLError, AttributeError, TypeError, KeyError) as err:
                raise ValueError(f"{path} cannot be read: {err}") from err
        longest = max(map(len, concepts), default=0)
        return Lexicon(
            concepts, longest, _any_of(concepts), {kind: _any_of(forms) for kind, forms in markers.items()}
        )

    def find(self, text: str) -> list[str]:
        """The concepts that folded `text` names, longest words first where they overlap."""
        return [self.concepts[match] for match in self.pattern.findall(text)] if self.concepts else []

    def marks(self, text: str) -> frozenset[str]:
        """Which kinds of markers folded `text` holds."""
        return frozenset(kind for kind, pattern in self.markers.items() if pattern.search(text))


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words where words are spaced, anywhere else."""
    ordered = sorted(set(words), key=lambda word: (-len(word), word))
    parts = [
        rf"\b{re.escape(w)}\b" if _SPACED.match(w) and _SPACED.match(w[-1]) else re.escape(w)
        for w in ordered
        if w
    ]
    return re.compile("|".join(parts) if parts else r"(?!)")


@cache
def shipped() -> Lexicon:
    """The lexicon that comes with the program."""
    return Lexicon.load()
