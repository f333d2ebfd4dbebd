"""Features -> sparse unit vectors. A feature weighs more the fewer topics it occurs with; blocks are scaled separately."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from intents.features import BLOCKS, NO_NUMBERS, Hashes, Numbers, Reading, blocks_of

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Vector = tuple[Ints, Floats, float]  # columns, values of unit length, share of the features that are known
Gist = tuple[Ints, Floats]  # columns of the gist, values of unit length
NO_INTS, NO_FLOATS = np.zeros(0, np.int32), np.zeros(0, np.float32)

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
    "concept": 0.65,
}
_BLOCKS = len(BLOCKS)
_WORD, _CHAR, _CJK, _CJK3, _SYLLABLE = map(BLOCKS.index, ("word", "char", "cjk", "cjk3", "syllable"))
_GROUP = np.arange(_BLOCKS)  # the block with which each is brought to unit length
_GROUP[_CJK3] = _CJK
_ASIDE = np.arange(_BLOCKS) - _GROUP
_LATIN = np.isin(BLOCKS, ("word", "pair", "next", "skip", "char", "cross"))
_SCALE = np.array([BLOCK_WEIGHTS[block] for block in BLOCKS])
_SCALE_OF_LATIN, _SCALE_OF_OTHERS = np.where(_LATIN, _SCALE, 0), np.where(_LATIN, 0, _SCALE)
_TO_KNOW = ("word", "cjk", "cjk3", "syllable")  # what share of these is known tells language from gibberish
_TELLING = np.isin(BLOCKS, _TO_KNOW).nonzero()[0].tolist()
# The gist: enough to find the nearest phrasing.
_TO_FIND = ("word", "next", "cjk", "cjk3", "syllable", "start")
_GIST = np.isin(BLOCKS, _TO_FIND)
RARE = 3  # lines in which a feature of a large library must stand: rarer ones say little about other people
FLAT = 0.5  # exponent of the weights of a small library, where a rare feature is rare by chance
FAINT = 0.4  # what a run of three characters counts there: few of them will ever be met again
AT_ONCE = 100_000  # hashes looked up: few enough to stay close to the processor
ROWS_AT_ONCE = 1_000  # texts whose features are weighed: few enough to stay close to the processor
LARGE = 5_000  # lines of a library from which a feature seen once says nothing about other people's messages


def in_threads(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """`work` on each item, by two threads: numpy lets both cores work."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(2) as threads:
        return [*threads.map(work, items)]


@dataclass(frozen=True)
class HashIndex:
    """Where a hash stands among sorted ones. Hashes fall evenly, so their first bits lead to a bucket of a few."""

    hashes: Hashes

    def places(self, hashes: Hashes) -> Ints:
        """The place of each, -1 for nowhere."""
        if not len(self.hashes):
            return np.full(len(hashes), -1, np.int32)
        if len(hashes) > AT_ONCE:
            return np.concatenate(in_threads(self.places, np.array_split(hashes, 1 + len(hashes) // AT_ONCE)))
        starts, steps, shift = self._buckets
        window = starts.take((hashes >> shift).view(np.int64)) + steps
        found: Ints = np.where(self.hashes.take(window) == hashes, window, np.int32(-1)).max(0)
        return found

    @cached_property
    def _buckets(self) -> tuple[Ints, Ints, np.uint64]:
        """(where each bucket starts, places from there on as rows, bits that do not tell the bucket)."""
        bits = max(1, len(self.hashes).bit_length() + 1)
        shift = np.uint64(64 - bits)
        sizes = np.bincount((self.hashes >> shift).astype(np.intp), minlength=1 << bits)
        deepest = int(sizes.max())
        starts = np.minimum(np.cumsum(sizes) - sizes, len(self.hashes) - deepest)
        return starts.astype(np.int32), np.arange(deepest, dtype=np.int32)[:, None], shift


def _standing_in(hashes: Hashes, times: int) -> Hashes:
    """Those that stand there so many times or more, in order."""
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    seen = np.diff(np.append(starts, len(ordered)))
    kept: Hashes = ordered[starts[seen >= times]]
    return kept


@dataclass
class Vectoriser:
    """Vocabulary and weights.

    A feature is known by a 64-bit hash: `index` holds these in order and a feature's column is its place, so that a start
    maps a file instead of building a dictionary of 560,000 strings. `weights` has one float a column.
    """

    index: HashIndex
    weights: Floats
    gist: Ints  # a column's number among those of the gist, -1 for the others
    rarest: float  # weight given to a feature that staff introduce
    numbers: Ints | None = None  # where staff's stand among the others: the column of each place, and -1

    @staticmethod
    def fit(reading: Reading, labels: Sequence[str]) -> tuple["Vectoriser", sp.csr_matrix, Numbers]:
        """The vectoriser for these texts, their matrix, and of each the share of its features that are known."""
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        large = reading.rows >= LARGE
        index = HashIndex(_standing_in(reading.hashes, RARE if large else 1))
        columns, blocks = index.places(reading.hashes), blocks_of(index.hashes)
        # A row a label, for the lines of one label stand together: what is written stays close to the processor. Unknown
        # features (-1) go to a place of their own, at the front.
        width = len(index.hashes) + 1
        standing = np.zeros((len(number), width), bool)
        label_of = np.repeat(np.array([number[label] for label in labels], np.int64), reading.sizes)
        standing.ravel()[label_of * width + columns + 1] = True
        labels_of_each = standing[:, 1:].sum(0)
        rarity, faint = (1.0, 1.0) if large else (FLAT, FAINT)
        weights = (np.log(1 + len(number) / labels_of_each) ** rarity).astype(np.float32)
        weights[blocks == _CJK3] *= np.float32(faint)
        vectoriser = Vectoriser(index, weights, _numbered(_GIST[blocks]), math.log(1 + len(number)) ** rarity)
        return vectoriser, *vectoriser._rows(columns, reading)

    def unknown(self, reading: Reading) -> Hashes:
        """The features of the gist that have no column yet, in order."""
        hashes = np.unique(reading.hashes[_GIST[blocks_of(reading.hashes)]])
        return hashes[self.index.places(hashes) < 0]

    def extended(self, extra: Hashes) -> "Vectoriser":
        """A vectoriser that has columns for `extra` too, the `unknown` of what staff wrote: after the others. This one is unchanged."""
        weights = np.concatenate([self.weights, np.full(len(extra), self.rarest, np.float32)])
        gist = np.concatenate([self.gist, self.gist_width + np.arange(len(extra), dtype=np.int32)])
        among = self.index.hashes.searchsorted(extra)
        numbers = np.arange(self.width, dtype=np.int32) if self.numbers is None else self.numbers[:-1]
        numbers = np.insert(numbers, among, self.width + np.arange(len(extra)))
        index = HashIndex(np.insert(self.index.hashes, among, extra))
        return Vectoriser(index, weights, gist, self.rarest, np.append(numbers, np.int32(-1)))

    @property
    def width(self) -> int:
        return len(self.weights)

    @cached_property
    def gist_width(self) -> int:
        return int(self.gist.max(initial=-1)) + 1

    def each(self, reading: Reading) -> list[Vector]:
        """The vector of each text: of several together, for most of the work is one."""
        if reading.rows == 1:
            return [self.vector(reading)]
        matrix, known = self._rows(self._columns(reading.hashes), reading)
        rows = [slice(*row) for row in pairwise(matrix.indptr.tolist())]
        return [
            (matrix.indices[row], matrix.data[row], share)
            for row, share in zip(rows, known.tolist(), strict=True)
        ]

    def vector(self, reading: Reading) -> Vector:
        """The vector of one text."""
        columns = self._columns(reading.hashes)
        found = (columns >= 0).nonzero()[0]
        of_all = blocks_of(reading.hashes)
        columns, blocks = columns.take(found), of_all.take(found)
        if not len(columns):
            return NO_INTS, NO_FLOATS, 0.0
        counts, total = (np.bincount(some, minlength=_BLOCKS).tolist() for some in (blocks, of_all))
        known = sum(counts[block] for block in _TELLING) / max(1, sum(total[block] for block in _TELLING))
        counts[_CJK] += counts[_CJK3]  # see _GROUP
        groups, values = _GROUP.take(blocks), self.weights.take(columns).astype(np.float64)
        squares = np.bincount(groups, values * values, _BLOCKS)
        values *= (_scale(counts) / np.sqrt(np.maximum(squares, 1e-18))).take(groups)
        values /= math.sqrt(float(values @ values))
        return columns, values.astype(np.float32), known

    def matrix(self, reading: Reading) -> sp.csr_matrix:
        """One row of unit length for each text."""
        return self._rows(self._columns(reading.hashes), reading)[0]

    def gist_of(self, matrix: sp.csr_matrix) -> sp.csr_matrix:
        """The rows of `matrix` by words and characters alone, of unit length again, with the columns of the gist."""
        starts, rows = matrix.indptr, matrix.shape[0]
        parts: list[tuple[Ints, Floats, Numbers]] = [(NO_INTS, NO_FLOATS, NO_NUMBERS)]
        for first in range(0, rows, ROWS_AT_ONCE):
            last = min(rows, first + ROWS_AT_ONCE)
            here = slice(starts[first], starts[last])
            numbers = self.gist.take(matrix.indices[here])
            kept = numbers >= 0
            row = np.repeat(np.arange(last - first), np.diff(starts[first : last + 1]))[kept]
            values = matrix.data[here][kept]
            lengths = np.sqrt(np.bincount(row, values * values, last - first)).astype(np.float32)
            counts = np.bincount(row, minlength=last - first)
            parts.append((numbers[kept], values / np.maximum(lengths, 1e-9)[row], counts))
        columns, values, counts = (np.concatenate(of_all) for of_all in zip(*parts, strict=True))
        pointers = np.concatenate([[0], np.cumsum(counts)])
        return sp.csr_matrix((values, columns, pointers), shape=(rows, self.gist_width))

    def gist_vector(self, columns: Ints, values: Floats) -> Gist:
        """One text's gist, of unit length."""
        numbers = self.gist.take(columns)
        kept = (numbers >= 0).nonzero()[0]
        values = values.take(kept)
        return numbers.take(kept), values / max(1e-9, math.sqrt(float(values @ values)))

    def _columns(self, hashes: Hashes) -> Ints:
        """The column of each feature, -1 where it is unknown."""
        places = self.index.places(hashes)
        return places if self.numbers is None else self.numbers.take(places)

    def _rows(self, places: Ints, reading: Reading) -> tuple[sp.csr_matrix, Numbers]:
        """A row for each text, and of each the share of its features that are known."""
        starts = np.concatenate([[0], np.cumsum(reading.sizes)])

        def weigh(first: int) -> tuple[Ints, Floats, Numbers, Numbers]:
            last = min(reading.rows, first + ROWS_AT_ONCE)
            here = slice(starts[first], starts[last])
            of_all = Reading(reading.hashes[here], reading.sizes[first:last]).cells
            found = places[here] >= 0
            columns, cells = places[here][found], of_all[found]
            counts, total = (
                np.bincount(some, minlength=(last - first) * _BLOCKS).reshape(-1, _BLOCKS)
                for some in (cells, of_all)
            )
            known = counts[:, _TELLING].sum(1) / np.maximum(1, total[:, _TELLING].sum(1))
            lengths = counts.sum(1)
            return columns, self._units(columns, cells, counts), lengths, known

        parts = in_threads(weigh, range(0, reading.rows, ROWS_AT_ONCE))
        columns, values, lengths, known = (np.concatenate(of_all) for of_all in zip(*parts, strict=True))
        pointers = np.concatenate([[0], np.cumsum(lengths)])
        return sp.csr_matrix((values, columns, pointers), shape=(reading.rows, self.width)), known

    def _units(self, columns: Ints, cells: Numbers, counts: Numbers) -> Floats:
        """The values of rows in which `counts` features of each block stand in these `cells`; `counts` are used up."""
        values = self.weights[columns].astype(np.float64)
        grouped = cells - _ASIDE[cells & (_BLOCKS - 1)]
        squares = np.bincount(grouped, values * values, counts.size)
        counts[:, _CJK] += counts[:, _CJK3]  # see _GROUP
        values *= (_scale(counts.T[..., None]).ravel() / np.sqrt(np.maximum(squares, 1e-18)))[grouped]
        row = cells // _BLOCKS
        values /= np.sqrt(np.bincount(row, values * values, len(counts)))[row]
        return values.astype(np.float32)


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
