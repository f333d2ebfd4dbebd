"""Features -> sparse unit vectors. A feature weighs more the fewer topics it occurs with; blocks are scaled separately."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from intents.features import BLOCKS, Hashes, Numbers, Reading

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Gist = tuple[Ints, Floats]  # columns of the gist, values of unit length

# How much each block may say, found on held-out lines of the library and on public question sets.
BLOCK_WEIGHTS = {
    "word": 1.0,
    "pair": 0.8,
    "next": 0.6,
    "skip": 0.4,
    "char": 1.0,
    "cross": 0.6,
    "cjk": 1.0,
    "cjk3": 1.0,
    "cjkpair": 0.6,
    "edge": 0.3,
    "syllable": 1.0,
    "sylpair": 0.6,
    "spaced": 0.5,
    "start": 1.0,
    "jamo": 0.8,
    "concept": 0.35,
}
_BLOCKS = len(BLOCKS)
_WORD, _CHAR, _CJK, _CJK3, _SYLLABLE = map(BLOCKS.index, ("word", "char", "cjk", "cjk3", "syllable"))
_GROUP = np.arange(_BLOCKS)  # the block with which each is brought to unit length
_GROUP[_CJK3] = _CJK
_LATIN = np.isin(BLOCKS, ("word", "pair", "next", "skip", "char", "cross"))
_SCALE = np.array([BLOCK_WEIGHTS[block] for block in BLOCKS])
_SCALE_OF_LATIN, _SCALE_OF_OTHERS = np.where(_LATIN, _SCALE, 0), np.where(_LATIN, 0, _SCALE)
_TO_KNOW = ("word", "cjk", "cjk3", "syllable")  # what share of these is known tells language from gibberish
_TELLS_LANGUAGE = np.isin(BLOCKS, _TO_KNOW)
_TELLING = _TELLS_LANGUAGE.nonzero()[0].tolist()
# The gist: enough to find the nearest phrasing.
_TO_FIND = ("word", "next", "cjk", "cjk3", "syllable", "start")
_GIST = np.isin(BLOCKS, _TO_FIND)
RARE = 3  # lines in which a feature of a large library must stand: rarer ones say little about other people
FLAT = 0.5  # exponent of the weights of a small library, where a rare feature is rare by chance
FAINT = 0.4  # what a run of three characters counts there: few of them will ever be met again
AT_ONCE = 500_000  # hashes looked up
ROWS_AT_ONCE = 1_000  # texts whose features are weighed: few enough to stay close to the processor
_MIDDLE = np.uint64(1 << 63)  # of all hashes
LARGE = 5_000  # lines of a library from which a feature seen once says nothing about other people's messages


@dataclass(frozen=True)
class HashIndex:
    """Where a hash stands among sorted ones. Hashes fall evenly, so their first bits lead to a bucket of a few."""

    hashes: Hashes

    def places(self, hashes: Hashes) -> Numbers:
        """The place of each, -1 for nowhere."""
        if not len(self.hashes):
            return np.full(len(hashes), -1)
        if len(hashes) > AT_ONCE:
            halves = np.array_split(hashes, 1 + len(hashes) // (AT_ONCE))
            return np.concatenate([self.places(half) for half in halves])
        starts, steps, shift = self._buckets
        window = starts[(hashes >> shift).astype(np.intp)][:, None] + steps
        hits = self.hashes[window] == hashes[:, None]
        first = hits.argmax(1)
        rows = np.arange(len(hashes))
        return np.where(hits[rows, first], window[rows, first], np.int32(-1))

    @cached_property
    def _buckets(self) -> tuple[Numbers, Numbers, np.uint64]:
        """(where each bucket starts, places from there on, bits that do not tell the bucket)."""
        bits = max(1, len(self.hashes).bit_length() + 1)
        shift = np.uint64(64 - bits)
        sizes = np.bincount((self.hashes >> shift).astype(np.intp), minlength=1 << bits)
        deepest = int(sizes.max())
        starts = np.minimum(np.cumsum(sizes) - sizes, len(self.hashes) - deepest)
        return starts.astype(np.int32), np.arange(deepest, dtype=np.int32), shift


NO_HASHES = HashIndex(np.zeros(0, np.uint64))


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is known of some features, each seen `rare` times or more."""

    index: Hashes
    spread: Numbers  # with how many labels each stands
    blocks: Numbers
    columns: Ints  # of every occurrence its place in `index`, -1 where it is rare

    @staticmethod
    def of(hashes: Hashes, blocks: Numbers, labels: Numbers, rare: int) -> "_Counted":
        if not len(hashes):
            return _Counted(hashes, blocks, blocks, np.zeros(0, np.int32))
        order = np.argsort(hashes)
        ordered = hashes[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        seen = np.diff(np.append(starts, len(hashes)))
        kept = seen >= rare
        places = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        columns = np.empty(len(hashes), np.int32)
        columns[order] = np.repeat(places, seen)
        spread = _distinct(labels[order], starts)
        return _Counted(ordered[starts[kept]], spread[kept], blocks[order[starts[kept]]], columns)


def _distinct(labels: Numbers, starts: Numbers) -> Numbers:
    """How many different labels each group has; groups begin at `starts`."""
    found = np.zeros(len(starts), np.int64)
    for first in range(0, int(labels.max()) + 1, 64):  # a bit a label, 64 at a time
        bits = np.zeros(int(labels.max()) + 1, np.uint64)
        bits[first : first + 64] = np.uint64(1) << np.arange(len(bits[first : first + 64]), dtype=np.uint64)
        found += np.bitwise_count(np.bitwise_or.reduceat(bits[labels], starts))
    return found


@dataclass
class Vectoriser:
    """Vocabulary and weights.

    A feature is known by a 64-bit hash: `index` holds these in order and a feature's column is its place, so that a start
    maps a file instead of building a dictionary of 430,000 strings. `weights` has one float a column.
    """

    index: HashIndex
    weights: Floats
    gist: Ints  # a column's number among those of the gist, -1 for the others
    rarest: float  # weight given to a feature that staff introduce
    extra: HashIndex = NO_HASHES  # of those; their columns follow the others

    @staticmethod
    def fit(reading: Reading, labels: Sequence[str]) -> tuple["Vectoriser", sp.csr_matrix]:
        """The vectoriser for these texts, and their matrix (a row of unit length for each)."""
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        label_of = np.array([number[label] for label in labels])[reading.cells // _BLOCKS]
        upper = reading.hashes >= _MIDDLE
        rare = RARE if reading.rows >= LARGE else 1

        def count(rows: Numbers) -> _Counted:
            return _Counted.of(reading.hashes[rows], reading.cells[rows] % _BLOCKS, label_of[rows], rare)

        halves = [np.flatnonzero(~upper), np.flatnonzero(upper)]
        with ThreadPoolExecutor(2) as threads:  # sorting millions of hashes takes long, and both cores can
            low, high = threads.map(count, halves)
        blocks = np.concatenate([low.blocks, high.blocks])
        rarity, faint = (1.0, 1.0) if reading.rows >= LARGE else (FLAT, FAINT)
        weights = (np.log(1 + len(number) / np.concatenate([low.spread, high.spread])) ** rarity).astype(
            np.float32
        )
        weights[blocks == _CJK3] *= np.float32(faint)
        index = HashIndex(np.concatenate([low.index, high.index]))
        vectoriser = Vectoriser(index, weights, _numbered(_GIST[blocks]), math.log(1 + len(number)) ** rarity)
        columns = np.empty(len(reading.hashes), np.int32)
        columns[halves[0]] = low.columns
        columns[halves[1]] = np.where(high.columns >= 0, high.columns + len(low.index), -1)
        known = columns >= 0
        return vectoriser, vectoriser._rows(columns[known], reading.cells[known], reading.rows)

    def unknown(self, reading: Reading) -> Hashes:
        """The features of the gist that have no column yet, in order."""
        hashes = np.unique(reading.hashes[_GIST[reading.cells % _BLOCKS]])
        return hashes[self.index.places(hashes) < 0]

    def extended(self, extra: Hashes) -> "Vectoriser":
        """A vectoriser that has columns for `extra` too, the `unknown` of what staff wrote. This one is unchanged."""
        weights = np.concatenate([self.weights, np.full(len(extra), self.rarest, np.float32)])
        gist = np.concatenate([self.gist, self.gist_width + np.arange(len(extra), dtype=np.int32)])
        return Vectoriser(self.index, weights, gist, self.rarest, HashIndex(extra))

    @property
    def width(self) -> int:
        return len(self.weights)

    @cached_property
    def gist_width(self) -> int:
        return int(self.gist.max(initial=-1)) + 1

    def vector(self, reading: Reading) -> tuple[Ints, Floats, float]:
        """(columns, values of unit length, share of the features that are known) of one text."""
        columns = self._columns(reading.hashes)
        found = (columns >= 0).nonzero()[0]
        columns, blocks = columns[found], reading.cells[found]
        if not len(columns):
            return np.zeros(0, np.int32), np.zeros(0, np.float32), 0.0
        counts, of_all = (np.bincount(some, minlength=_BLOCKS).tolist() for some in (blocks, reading.cells))
        known = sum(counts[block] for block in _TELLING) / max(1, sum(of_all[block] for block in _TELLING))
        counts[_CJK] += counts[_CJK3]  # see _GROUP
        groups, values = _GROUP[blocks], self.weights[columns].astype(np.float64)
        squares = np.bincount(groups, values * values, _BLOCKS)
        values *= (_scale(counts) / np.sqrt(np.maximum(squares, 1e-18)))[groups]
        values /= math.sqrt(float(values @ values))
        return columns, values.astype(np.float32), known

    def matrix(self, reading: Reading) -> sp.csr_matrix:
        """One row of unit length for each text."""
        columns = self._columns(reading.hashes)
        known = columns >= 0
        return self._rows(columns[known], reading.cells[known], reading.rows)

    def known(self, reading: Reading) -> Numbers:
        """Of each text the share of its features that are known, as `vector` gives it for one."""
        telling = _TELLS_LANGUAGE[reading.cells % _BLOCKS]
        rows = reading.cells[telling] // _BLOCKS
        found = self._columns(reading.hashes[telling]) >= 0
        total = np.bincount(rows, minlength=reading.rows)
        return np.bincount(rows, found, minlength=reading.rows) / np.maximum(1, total)

    def gist_of(self, matrix: sp.csr_matrix) -> sp.csr_matrix:
        """The rows of `matrix` by words and characters alone, of unit length again, with the columns of the gist."""
        numbers = self.gist[matrix.indices]
        kept = numbers >= 0
        pointers = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
        lengths = np.sqrt(
            np.add.reduceat(np.append(np.where(kept, matrix.data, 0) ** 2, 0), matrix.indptr[:-1])
        )
        lengths[np.diff(matrix.indptr) == 0] = 1
        values = matrix.data[kept] / np.repeat(np.maximum(lengths, 1e-9), np.diff(pointers))
        shape = (matrix.shape[0], self.gist_width)
        return sp.csr_matrix((values.astype(np.float32), numbers[kept], pointers), shape=shape)

    def gist_vector(self, columns: Ints, values: Floats) -> Gist:
        """One text's gist, of unit length."""
        numbers = self.gist[columns]
        kept = numbers >= 0
        values = values[kept]
        return numbers[kept], values / max(1e-9, math.sqrt(float(values @ values)))

    def _columns(self, hashes: Hashes) -> Numbers:
        """The column of each feature, -1 where it is unknown."""
        columns = self.index.places(hashes)
        if len(self.extra.hashes):
            unknown = np.flatnonzero(columns < 0)
            added = self.extra.places(hashes[unknown])
            columns[unknown] = np.where(added >= 0, added + len(self.index.hashes), -1)
        return columns

    def _rows(self, columns: Numbers, cells: Numbers, rows: int) -> sp.csr_matrix:
        """Unit rows from columns and their cells (row x block); the same figures as `vector`, for many texts at once."""
        pointers = np.concatenate([[0], np.cumsum(np.bincount(cells // _BLOCKS, minlength=rows))])
        values = np.empty(len(columns), np.float32)
        for first in range(0, rows, ROWS_AT_ONCE):
            last = min(rows, first + ROWS_AT_ONCE)
            some = slice(pointers[first], pointers[last])
            values[some] = self._units(columns[some], cells[some] - first * _BLOCKS, last - first)
        return sp.csr_matrix((values, columns.astype(np.int32), pointers), shape=(rows, self.width))

    def _units(self, columns: Numbers, cells: Numbers, rows: int) -> Numbers:
        values = self.weights[columns].astype(np.float64)
        cells = cells - cells % _BLOCKS + _GROUP[cells % _BLOCKS]
        squares = np.bincount(cells, values * values, rows * _BLOCKS)
        counts = np.bincount(cells, minlength=rows * _BLOCKS).reshape(rows, _BLOCKS)
        values *= (_scale(counts.T[..., None]).ravel() / np.sqrt(np.maximum(squares, 1e-18)))[cells]
        row = cells // _BLOCKS
        values /= np.sqrt(np.bincount(row, values * values, rows))[row]
        return values


def _scale(counts: Any) -> Numbers:
    """How much each block may say in a text that has `counts` features of each: numbers, or for many texts columns of them.

    A foreign word in a text of another script speaks for its share of the text, not for half of it.
    """
    latin = counts[_WORD] + counts[_CHAR] / 12 + 1e-9  # about how many characters
    others = counts[_CJK] / 3 + counts[_SYLLABLE] / 2
    scale: Numbers = _SCALE_OF_OTHERS + (latin / (latin + others)) ** 0.5 * _SCALE_OF_LATIN
    return scale


def _numbered(chosen: Numbers) -> Ints:
    return np.where(chosen, np.cumsum(chosen) - 1, -1).astype(np.int32)
