"""Likeness of a text to known phrasings: those of the library, and the staff's own questions, which outweigh."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from intents.features import extract, words
from intents.lexicon import Lexicon
from intents.reading import Hashes, Reading
from intents.vectors import Floats, Gist, Ints, Vectoriser

STAFF_WEIGHT = 14.0  # how many logits an exact question of the staff adds
STAFF_FLOOR = 0.55  # likeness below which a staff question says nothing


@dataclass
class PhraseIndex:
    """The gists of phrasings as unit vectors, rows of one label together."""

    matrix: sp.csr_matrix
    texts: Sequence[str]
    spans: dict[str, tuple[int, int]]
    _blocks: dict[str, "_Block"] = field(default_factory=dict, repr=False)  # by label, once asked for

    @staticmethod
    def of(matrix: sp.csr_matrix, texts: list[str], labels: list[str]) -> "PhraseIndex":
        """Index of rows that are sorted by label."""
        spans: dict[str, tuple[int, int]] = {}
        for i, label in enumerate(labels):
            spans[label] = (spans.get(label, (i, i))[0], i + 1)
        return PhraseIndex(matrix, texts, spans)

    def items(self) -> Iterator[tuple[str, str]]:
        """(label, phrasing) of every row."""
        for label, (start, end) in self.spans.items():
            for i in range(start, end):
                yield label, self.texts[i]

    def nearest(self, gist: Gist, label: str) -> tuple[float, str]:
        """(cosine, text) of the phrasing of `label` nearest to `gist`."""
        start, end = self.spans.get(label, (0, 0))
        if start == end:
            return 0.0, ""
        if label not in self._blocks:
            self._blocks[label] = _Block.of(self.matrix, start, end)
        cosines = self._blocks[label].cosines(gist)
        best = int(cosines.argmax())
        return float(cosines[best]), self.texts[start + best]


@dataclass(frozen=True)
class _Block:
    """Some rows, their columns numbered anew: they share few, and a short vector stays close to the processor."""

    columns: Ints  # that these rows have, in order
    rows: sp.csr_matrix

    @staticmethod
    def of(matrix: sp.csr_matrix, start: int, end: int) -> "_Block":
        a, b = matrix.indptr[start], matrix.indptr[end]
        columns, local = np.unique(matrix.indices[a:b], return_inverse=True)
        parts = matrix.data[a:b], local.astype(np.int32), matrix.indptr[start : end + 1] - a
        return _Block(columns, sp.csr_matrix(parts, shape=(end - start, len(columns))))

    def cosines(self, gist: Gist) -> Floats:
        dense = np.zeros(len(self.columns), np.float32)
        places = np.searchsorted(self.columns, gist[0])
        places[places == len(self.columns)] = 0
        shared = self.columns[places] == gist[0]
        dense[places[shared]] = gist[1][shared]
        cosines: Floats = self.rows @ dense
        return cosines


@dataclass(frozen=True)
class Questions:
    """The staff's own questions as they are compared."""

    words: frozenset[str]  # Latin ones: no slips, even when the library does not know them
    extra: Hashes  # features that only they have
    gists: sp.csr_matrix  # a row a question

    @staticmethod
    def of(folded: Sequence[str], lexicon: Lexicon, vectoriser: Vectoriser) -> "Questions":
        reading = Reading.of(extract(text, lexicon.find) for text in folded)
        extra = vectoriser.unknown(reading)
        wider = vectoriser.extended(extra)
        known = frozenset(word for text in folded for word in words(text))
        return Questions(known, extra, wider.gist_of(wider.matrix(reading)))


class StaffIndex:
    """The staff's own questions. Looked up by feature, so that a message costs what it shares with them, not all of them."""

    def __init__(self, phrases: PhraseIndex, labels: Mapping[str, int]) -> None:
        self.phrases = phrases
        self._columns = sp.csc_matrix(phrases.matrix)
        self._starts = np.array([start for start, _ in phrases.spans.values()], np.intp)
        self._labels = np.array([labels[name] for name in phrases.spans], np.int32)

    def cosines(self, gist: Gist) -> Floats:
        """Likeness of every question to `gist`."""
        columns, values = gist
        starts, ends = self._columns.indptr[columns], self._columns.indptr[columns + 1]
        sizes = ends - starts
        at = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
        shared = self._columns.data[at] * np.repeat(values, sizes)
        cosines = np.bincount(self._columns.indices[at], shared, minlength=self._columns.shape[0])
        return cosines.astype(np.float32)

    def boosts(self, cosines: Floats) -> tuple[Ints, Floats]:
        """(labels, logits to add) of the labels that have a question much like the text."""
        best = np.maximum.reduceat(cosines, self._starts) if len(cosines) else cosines
        near = np.flatnonzero(best > STAFF_FLOOR)
        closeness = ((best[near] - STAFF_FLOOR) / (1 - STAFF_FLOOR)) ** 2
        return self._labels[near], (STAFF_WEIGHT * closeness).astype(np.float32)

    def nearest(self, cosines: Floats, label: str) -> tuple[float, str]:
        """(cosine, text) of the nearest question of `label`."""
        start, end = self.phrases.spans.get(label, (0, 0))
        if start == end:
            return 0.0, ""
        best = start + int(cosines[start:end].argmax())
        return float(cosines[best]), self.phrases.texts[best]
