"""Features -> sparse unit vectors. A feature weighs more the fewer topics it occurs with; blocks are scaled separately."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from intents.features import Features
from intents.text import MAX_LENGTH

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Numbers = npt.NDArray[Any]
Hashes = npt.NDArray[np.uint64]
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
    "cjkpair": 0.6,
    "edge": 0.3,
    "syllable": 1.0,
    "sylpair": 0.6,
    "start": 0.5,
    "jamo": 0.8,
    "concept": 0.35,
}
_NUMBER = {block: i for i, block in enumerate(BLOCK_WEIGHTS)}
_BLOCKS = len(BLOCK_WEIGHTS)
_SCALE = np.array(list(BLOCK_WEIGHTS.values()))
_TO_KNOW = ("word", "cjk", "syllable")  # what share of these is known tells language from gibberish
_TELLS_LANGUAGE = np.isin(list(BLOCK_WEIGHTS), _TO_KNOW)
_TO_FIND = ("word", "next", "cjk", "syllable", "start")  # the gist: enough to find the nearest phrasing
_GIST = np.isin(list(BLOCK_WEIGHTS), _TO_FIND)
RARE = 3  # lines in which a feature of a large library must stand: rarer ones say little about other people
AT_ONCE = 500  # texts
LARGE = 5_000  # lines of a library from which a feature seen once says nothing about other people's messages

_ODD = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, as in splitmix64
_LONGEST = 3 * MAX_LENGTH  # characters of one feature: two words and what stands between
_NONE = np.zeros(0, np.uint64)
_POWERS = np.cumprod(np.full(_LONGEST, _ODD, np.uint64), dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Reading:
    """The features of some texts as numbers: their hashes, and the cell (row x number of blocks + block) each stands in."""

    hashes: Hashes
    cells: Numbers
    rows: int

    @staticmethod
    def of(features: Iterable[Features]) -> "Reading":
        """Read as they come, so that millions of strings need not be there at once."""
        read, rows, some = [], 0, []
        for item in features:
            some.append(item)
            if len(some) == AT_ONCE:
                read.append(_hashed(some, rows))
                rows, some = rows + len(some), []
        read.append(_hashed(some, rows))
        hashes, cells = (np.concatenate(parts) for parts in zip(*read, strict=True))
        return Reading(hashes, cells, rows + len(some))


@dataclass(frozen=True)
class HashIndex:
    """Where a hash stands among sorted ones. Hashes fall evenly, so their first bits lead to a bucket of a few."""

    hashes: Hashes

    def places(self, hashes: Hashes) -> Numbers:
        """The place of each, -1 for nowhere."""
        if not len(self.hashes):
            return np.full(len(hashes), -1)
        if len(hashes) > AT_ONCE * 1000:
            halves = np.array_split(hashes, 1 + len(hashes) // (AT_ONCE * 1000))
            return np.concatenate([self.places(half) for half in halves])
        starts, steps, shift = self._buckets
        window = starts[(hashes >> shift).astype(np.intp)][:, None] + steps
        hits = self.hashes[window] == hashes[:, None]
        first = hits.argmax(1)
        rows = np.arange(len(hashes))
        return np.where(hits[rows, first], window[rows, first], -1)

    @cached_property
    def _buckets(self) -> tuple[Numbers, Numbers, np.uint64]:
        """(where each bucket starts, places from there on, bits that do not tell the bucket)."""
        bits = max(1, len(self.hashes).bit_length() - 1)
        shift = np.uint64(64 - bits)
        sizes = np.bincount((self.hashes >> shift).astype(np.intp), minlength=1 << bits)
        deepest = int(sizes.max())
        starts = np.minimum(np.cumsum(sizes) - sizes, len(self.hashes) - deepest)
        return starts.astype(np.int32), np.arange(deepest, dtype=np.int32), shift


@dataclass
class Vectoriser:
    """Vocabulary and weights.

    A feature is known by a 64-bit hash: `index` holds these in order and a feature's column is its place, so that a start
    maps a file instead of building a dictionary of 430,000 strings. `weights` has one float a column.
    """

    index: Hashes
    weights: Floats
    gist: Ints  # a column's number among those of the gist, -1 for the others
    rarest: float  # weight given to a feature that staff introduce
    extra: Hashes = field(default_factory=lambda: _NONE)  # of those; their columns follow the others

    @staticmethod
    def fit(reading: Reading, labels: Sequence[str]) -> tuple["Vectoriser", sp.csr_matrix]:
        """The vectoriser for these texts, and their matrix (a row of unit length for each)."""
        cells = reading.cells
        index, first, column, seen = np.unique(reading.hashes, True, True, True)
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        label_of = np.array([number[label] for label in labels])[cells // _BLOCKS]
        stands_with = sp.csr_matrix(
            (np.ones(len(column), bool), (column, label_of)), (len(index), len(number))
        )
        spread = np.diff(stands_with.indptr)  # with how many labels each feature stands
        kept = seen >= (RARE if reading.rows >= LARGE else 1)
        weights = np.log(1 + len(number) / spread[kept]).astype(np.float32)
        gist = _numbered(_GIST[cells[first[kept]] % _BLOCKS])
        vectoriser = Vectoriser(index[kept], weights, gist, math.log(1 + len(number)))
        place = (np.cumsum(kept) - 1)[column]
        known = kept[column]
        return vectoriser, vectoriser._rows(place[known], cells[known], reading.rows)

    def extended(self, reading: Reading) -> "Vectoriser":
        """A vectoriser that also has columns for what only staff's own questions say: the gist of it, nothing else was learned of
        it. This one is unchanged."""
        extra = np.unique(reading.hashes[_GIST[reading.cells % _BLOCKS]])
        extra = extra[self._known.places(extra) < 0]
        weights = np.concatenate([self.weights, np.full(len(extra), self.rarest, np.float32)])
        gist = np.concatenate([self.gist, self.gist_width + np.arange(len(extra), dtype=np.int32)])
        return Vectoriser(self.index, weights, gist, self.rarest, extra)

    @property
    def width(self) -> int:
        return len(self.weights)

    @cached_property
    def gist_width(self) -> int:
        return int(self.gist.max(initial=-1)) + 1

    def vector(self, features: Features) -> tuple[Ints, Floats, float]:
        """(columns, values of unit length, share of the features that are known)."""
        hashes, blocks = _hashed([features])
        columns = self._columns(hashes)
        found = columns >= 0
        telling = _TELLS_LANGUAGE[blocks]
        known = int((found & telling).sum()) / max(1, int(telling.sum()))
        columns, blocks = columns[found], blocks[found]
        if not len(columns):
            return np.zeros(0, np.int32), np.zeros(0, np.float32), 0.0
        values = self.weights[columns].astype(np.float64)
        lengths = np.sqrt(np.bincount(blocks, values * values, minlength=_BLOCKS))
        values *= (_SCALE / np.maximum(lengths, 1e-9))[blocks]
        values /= math.sqrt(float(values @ values))
        return columns.astype(np.int32), values.astype(np.float32), known

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
        columns = self._known.places(hashes)
        if len(self.extra):
            unknown = np.flatnonzero(columns < 0)
            added = self._added.places(hashes[unknown])
            columns[unknown] = np.where(added >= 0, added + len(self.index), -1)
        return columns

    @cached_property
    def _known(self) -> HashIndex:
        return HashIndex(self.index)

    @cached_property
    def _added(self) -> HashIndex:
        return HashIndex(self.extra)

    def _rows(self, columns: Numbers, cells: Numbers, rows: int) -> sp.csr_matrix:
        """Unit rows from columns and their cells (row x block); the same figures as `vector`, for many texts at once."""
        values = self.weights[columns].astype(np.float64)
        lengths = np.sqrt(np.bincount(cells, values * values, minlength=rows * _BLOCKS))
        values *= _SCALE[cells % _BLOCKS] / lengths[cells]
        row = cells // _BLOCKS
        values /= np.sqrt(np.bincount(row, values * values, minlength=rows))[row]
        pointers = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
        shape = (rows, self.width)
        return sp.csr_matrix((values.astype(np.float32), columns.astype(np.int32), pointers), shape=shape)


def _numbered(chosen: Numbers) -> Ints:
    return np.where(chosen, np.cumsum(chosen) - 1, -1).astype(np.int32)


def _hashed(features: Sequence[Features], first_row: int = 0) -> tuple[Hashes, Numbers]:
    """(hash of every feature, the cell it stands in), row by row.

    The same in every process, which Python's own hash is not: a polynomial of the characters, mixed with the block.
    """
    items: list[str] = []
    counts: list[int] = []
    runs: list[int] = []
    for row, item in enumerate(features, first_row):
        for block, found in item.items():
            items += found
            counts.append(len(found))
            runs.append(row * _BLOCKS + _NUMBER[block])
    cells = np.repeat(np.array(runs, np.int64), np.array(counts, np.int64))
    if not items:
        return np.zeros(0, np.uint64), cells
    lengths = np.fromiter(map(len, items), np.int64, len(items))
    starts = np.cumsum(lengths) - lengths
    letters = np.frombuffer("".join(items).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    letters *= _POWERS[np.arange(len(letters)) - np.repeat(starts, lengths)]
    sums = np.add.reduceat(letters, starts)
    sums += (cells % _BLOCKS + 1).astype(np.uint64) << np.uint64(57)
    sums ^= sums >> np.uint64(31)
    return sums * np.uint64(_ODD), cells
