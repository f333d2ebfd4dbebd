"""Repair of mistyped Latin words from the vocabulary of the library: letters lost, doubled or swapped, spaces lost or astray."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from intents.features import stem

SHORTEST = 3  # shorter words have too many neighbours
LONGEST = 20
LARGE = 20_000  # words in all from which a word must have been seen more than once to be trusted
FREQUENT = 0.08  # how much of an edit a word e times as frequent is worth
PART = 3  # the letters that each half of two words run together must have, unless both are very common


class Speller:
    """Known words by length and by the letter they begin or end with, for a slip seldom spoils both.

    `counted` is how often each word stands in the library; `staff` words are known whatever the library says.
    """

    def __init__(self, counted: Mapping[str, int], staff: Iterable[str] = ()) -> None:
        self.counted, self._staff = counted, frozenset(staff)
        large = sum(counted.values()) >= LARGE
        self._trusted = 3 if large else 1  # in a large library rarer words are often slips themselves
        self._common = 20 if large else 3
        stems: Counter[str] = Counter()
        self._near: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        for word, count in counted.items():
            stems[stem(word)] += count
            if count >= self._trusted and len(word) >= SHORTEST and not word[0].isdigit():
                self._near[len(word), "^" + word[0]].append(word)
                self._near[len(word), "$" + word[-1]].append(word)
        self._stems = frozenset(s for s, count in stems.items() if count >= self._trusted)
        self._mended = lru_cache(maxsize=20_000)(self._mend_one)

    def mend(self, tokens: list[str]) -> list[str]:
        """The words meant: as typed where they are known or nothing is near."""
        return [word for _, meant in self.changes(tokens) for word in meant]

    def slips(self, tokens: list[str]) -> float:
        """Share of the words that are not known as they are typed, whether they can be mended or not."""
        unknown = sum(not (token[0].isdigit() or self._knows(token)) for token in tokens)
        return unknown / max(1, len(tokens))

    def changes(self, tokens: list[str]) -> list[tuple[str, tuple[str, ...]]]:
        """(what was typed, the words meant) in order."""
        found: list[tuple[str, tuple[str, ...]]] = []
        at = 0
        while at < len(tokens):
            pair = tokens[at : at + 2]
            if len(pair) == 2 and self._is_one(*pair):
                found.append((" ".join(pair), ("".join(pair),)))
                at += 2
            else:
                found.append((tokens[at], self._mended(tokens[at])))
                at += 1
        return found

    def _knows(self, word: str) -> bool:
        return word in self._staff or stem(word) in self._stems

    def _is_one(self, first: str, second: str) -> bool:
        """Whether a stray space parts one common word: "p ain"."""
        joined = first + second
        return (
            len(joined) >= SHORTEST
            and self.counted.get(joined, 0) * 2 >= self._common
            and not (self._knows(first) and self._knows(second))
        )

    def _mend_one(self, word: str) -> tuple[str, ...]:
        if not SHORTEST <= len(word) <= LONGEST or word[0].isdigit() or self._knows(word):
            return (word,)
        near, edits = self._nearest(word)
        parts = self._parts(word)
        if near and (edits == 1 or not parts) and not (parts and len(word) > 6):
            return (near,)
        return parts or (word,)

    def _nearest(self, word: str) -> tuple[str, int]:
        """(the likeliest word within reach, edits to it); ("", 0) when there is none."""
        candidates = [
            known
            for size in (len(word) - 1, len(word), len(word) + 1)
            for end in ("^" + word[0], "$" + word[-1])
            for known in self._near.get((size, end), ())
        ]
        reach = 1 if len(word) <= 5 else 2
        found = process.extract(word, candidates, scorer=OSA.distance, score_cutoff=reach, limit=8)
        ranked = sorted(
            (edits - FREQUENT * math.log(self.counted[w]), w, int(edits)) for w, edits, _ in found
        )
        return (ranked[0][1], ranked[0][2]) if ranked else ("", 0)

    def _parts(self, word: str) -> tuple[str, ...]:
        """The two words that a lost space ran together, or nothing: "faceafter"."""
        best = 0
        parts: tuple[str, ...] = ()
        for i in range(1, len(word)):
            counts = [self.counted.get(half, 0) for half in (word[:i], word[i:])]
            long = PART <= i <= len(word) - PART
            if min(counts) >= (self._trusted if long else self._common) and min(counts) > best:
                best, parts = min(counts), (word[:i], word[i:])
        return parts if len(word) >= 5 else ()
