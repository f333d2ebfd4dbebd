"""Repair of mistyped Latin words from the vocabulary of the library."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from intents.features import stem

SHORTEST = 4  # shorter words have too many neighbours
LIKENESS = 0.72  # one slip in a word of four, two in seven and more


class Speller:
    """Known words by length; `repair` is cached, since the same slips come again and again."""

    def __init__(self, counted: Iterable[tuple[str, int]]) -> None:
        self._stems: set[str] = set()
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word, count in counted:
            self._stems.add(stem(word))
            if count >= 3 and len(word) >= SHORTEST:  # rarer words are often slips themselves
                self._by_length[len(word)].append(word)
        self.repair = lru_cache(maxsize=20_000)(self._repair)

    def _repair(self, word: str) -> str:
        """The word meant, or `word` itself when it is known or nothing is near."""
        if len(word) < SHORTEST or len(word) > 24 or word[0].isdigit() or stem(word) in self._stems:
            return word
        near = [
            w
            for n in (len(word), len(word) - 1, len(word) + 1, len(word) + 2)
            for w in self._by_length.get(n, ())
        ]
        best = process.extractOne(word, near, scorer=OSA.normalized_similarity, score_cutoff=LIKENESS)
        return best[0] if best else word
