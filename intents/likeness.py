"""Likeness of a text to known phrasings: those of the library, and the staff's own questions, which outweigh."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from intents.features import Hashes, read, words
from intents.lexicon import Lexicon
from intents.vectors import Floats, Gist, Ints, Vectoriser

STAFF_WEIGHT = 18.0  # how many logits an exact question of the staff adds
STAFF_FLOOR = 0.55  # likeness below which a staff question says nothing
NONE = np.zeros(0, np.int32), np.zeros(0, np.float32)  # labels, logits


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
    """Some rows, their columns numbered anew: a message costs what it shares with them, not all of them."""

    columns: Ints  # that these rows have, in order
    postings: "Postings"

    @staticmethod
    def of(matrix: sp.csr_matrix, start: int, end: int) -> "_Block":
        a, b = matrix.indptr[start], matrix.indptr[end]
        columns, local = np.unique(matrix.indices[a:b], return_inverse=True)
        parts = matrix.data[a:b], local.astype(np.int32), matrix.indptr[start : end + 1] - a
        return _Block(columns, Postings.of(sp.csr_matrix(parts, shape=(end - start, len(columns)))))

    def cosines(self, gist: Gist) -> Floats:
        """Likeness of every row to `gist`."""
        columns, values = gist
        places = self.columns.searchsorted(columns)
        places[places == len(self.columns)] = 0
        shared = (self.columns.take(places) == columns).nonzero()[0]
        return self.postings.cosines(places.take(shared), values.take(shared))


@dataclass(frozen=True, slots=True)
class Postings:
    """A matrix by columns: for each the rows that have it, and with what value."""

    starts: Ints
    sizes: Ints
    rows: Ints
    data: Floats
    height: int

    @staticmethod
    def of(matrix: sp.csr_matrix) -> "Postings":
        turned = sp.csc_matrix(matrix)
        starts = turned.indptr[:-1]
        return Postings(starts, np.diff(turned.indptr), turned.indices, turned.data, matrix.shape[0])

    def cosines(self, columns: Ints, values: Floats) -> Floats:
        """The product of every row with a vector that has `values` in `columns`."""
        sizes = self.sizes.take(columns)
        ends = sizes.cumsum(dtype=np.int32)
        at = (self.starts.take(columns) - ends + sizes).repeat(sizes)
        at += np.arange(len(at), dtype=at.dtype)
        products = self.data.take(at) * values.repeat(sizes)
        return np.bincount(self.rows.take(at), products, self.height).astype(np.float32)


@dataclass(frozen=True)
class Questions:
    """The staff's own questions as they are compared."""

    words: frozenset[str]  # Latin ones: no slips, even when the library does not know them
    extra: Hashes  # features that only they have
    gists: sp.csr_matrix  # a row a question

    @staticmethod
    def of(folded: Sequence[str], lexicon: Lexicon, vectoriser: Vectoriser) -> "Questions":
        reading = read(folded, lexicon.find)
        extra = vectoriser.unknown(reading)
        wider = vectoriser.extended(extra)
        known = frozenset(word for text in folded for word in words(text))
        return Questions(known, extra, wider.gist_of(wider.matrix(reading)))


class StaffIndex:
    """The staff's own questions. Looked up by feature, so that a message costs what it shares with them, not all of them."""

    def __init__(self, phrases: PhraseIndex, labels: Mapping[str, int]) -> None:
        self.phrases = phrases
        self._postings = Postings.of(phrases.matrix)
        self._starts = np.array([start for start, _ in phrases.spans.values()], np.intp)
        self._labels = np.array([labels[name] for name in phrases.spans], np.int32)

    def cosines(self, gist: Gist) -> Floats:
        """Likeness of every question to `gist`."""
        return self._postings.cosines(*gist)

    def boosts(self, cosines: Floats) -> tuple[Ints, Floats]:
        """(labels, logits to add) of the labels that have a question much like the text."""
        if cosines.max(initial=0) <= STAFF_FLOOR:  # nearly always
            return NONE
        best = np.maximum.reduceat(cosines, self._starts)
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
