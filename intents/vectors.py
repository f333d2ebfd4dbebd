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
_NUMBER = {block: i for i, block in enumerate(BLOCK_WEIGHTS)}
_BLOCKS = len(BLOCK_WEIGHTS)
_GROUP = np.arange(_BLOCKS)  # the block with which each is brought to unit length
_GROUP[_NUMBER["cjk3"]] = _NUMBER["cjk"]
# About how many characters of Latin, and of other scripts, a feature of each block stands for.
_LATIN_UNITS = np.array([{"word": 1.0, "char": 1 / 12}.get(block, 0.0) for block in BLOCK_WEIGHTS])
_OTHER_UNITS = np.array([{"cjk": 1 / 3, "syllable": 1 / 2}.get(block, 0.0) for block in BLOCK_WEIGHTS])
_LATIN = np.isin(list(BLOCK_WEIGHTS), ("word", "pair", "next", "skip", "char", "cross"))
_SCALE = np.array(list(BLOCK_WEIGHTS.values()))
_SCALE_OF_LATIN, _SCALE_OF_OTHERS = np.where(_LATIN, _SCALE, 0), np.where(_LATIN, 0, _SCALE)
_TO_KNOW = ("word", "cjk", "cjk3", "syllable")  # what share of these is known tells language from gibberish
_TELLS_LANGUAGE = np.isin(list(BLOCK_WEIGHTS), _TO_KNOW)
# The gist: enough to find the nearest phrasing.
_TO_FIND = ("word", "next", "cjk", "cjk3", "syllable", "start")
_GIST = np.isin(list(BLOCK_WEIGHTS), _TO_FIND)
RARE = 3  # lines in which a feature of a large library must stand: rarer ones say little about other people
FLAT = 0.5  # exponent of the weights of a small library, where a rare feature is rare by chance
FAINT = 0.4  # what a run of three characters counts there: few of them will ever be met again
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
        blocks = cells[first[kept]] % _BLOCKS
        rarity, faint = (1.0, 1.0) if reading.rows >= LARGE else (FLAT, FAINT)
        weights = np.log(1 + len(number) / spread[kept]) ** rarity
        weights = np.where(blocks == _NUMBER["cjk3"], faint * weights, weights).astype(np.float32)
        gist = _numbered(_GIST[blocks])
        rarest = math.log(1 + len(number)) ** rarity
        vectoriser = Vectoriser(index[kept], weights, gist, rarest)
        place = (np.cumsum(kept) - 1)[column]
        known = kept[column]
        return vectoriser, vectoriser._rows(place[known], cells[known], reading.rows)

    def extended(self, reading: Reading) -> "Vectoriser":
        """A vectoriser that also has columns for features that only staff's own questions have. This one is unchanged."""
        extra, first = np.unique(reading.hashes, return_index=True)
        new = _places(self.index, extra) < 0
        weights = np.concatenate([self.weights, np.full(int(new.sum()), self.rarest, np.float32)])
        gist = np.concatenate([self.gist >= 0, _GIST[reading.cells[first[new]] % _BLOCKS]])
        return Vectoriser(self.index, weights, _numbered(gist), self.rarest, extra[new])

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
        columns, blocks = columns[found], _GROUP[blocks[found]]
        if not len(columns):
            return np.zeros(0, np.int32), np.zeros(0, np.float32), 0.0
        values = self.weights[columns].astype(np.float64)
        lengths = np.sqrt(np.bincount(blocks, values * values, minlength=_BLOCKS))
        scale = _scale(np.bincount(blocks, minlength=_BLOCKS))
        values *= (scale / np.maximum(lengths, 1e-9))[blocks]
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

    def dense_gist(self, columns: Ints, values: Floats) -> Floats:
        """One text's gist, spread out."""
        numbers = self.gist[columns]
        kept = numbers >= 0
        dense = np.zeros(self.gist_width, np.float32)
        dense[numbers[kept]] = values[kept] / max(1e-9, float(np.linalg.norm(values[kept])))
        return dense

    def _columns(self, hashes: Hashes) -> Numbers:
        """The column of each feature, -1 where it is unknown."""
        columns = _places(self.index, hashes)
        if len(self.extra):
            added = _places(self.extra, hashes)
            columns = np.where(added >= 0, added + len(self.index), columns)
        return columns

    def _rows(self, columns: Numbers, cells: Numbers, rows: int) -> sp.csr_matrix:
        """Unit rows from columns and their cells (row x block); the same figures as `vector`, for many texts at once."""
        values = self.weights[columns].astype(np.float64)
        cells = cells - cells % _BLOCKS + _GROUP[cells % _BLOCKS]
        lengths = np.sqrt(np.bincount(cells, values * values, minlength=rows * _BLOCKS))
        counts = np.bincount(cells, minlength=rows * _BLOCKS).reshape(rows, _BLOCKS)
        values *= (_scale(counts).ravel() / np.maximum(lengths, 1e-9))[cells]
        row = cells // _BLOCKS
        values /= np.sqrt(np.bincount(row, values * values, minlength=rows))[row]
        pointers = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
        shape = (rows, self.width)
        return sp.csr_matrix((values.astype(np.float32), columns.astype(np.int32), pointers), shape=shape)


def _scale(counts: Numbers) -> Numbers:
    """How much each block may say in a text that has `counts` features of each; or in many, a row each.

    A foreign word in a text of another script speaks for its share of the text, not for half of it.
    """
    latin = counts @ _LATIN_UNITS + 1e-9
    share = np.sqrt(latin / (latin + counts @ _OTHER_UNITS))[..., None]
    scale: Numbers = _SCALE_OF_OTHERS + share * _SCALE_OF_LATIN
    return scale


def _numbered(chosen: Numbers) -> Ints:
    return np.where(chosen, np.cumsum(chosen) - 1, -1).astype(np.int32)


def _places(ordered: Hashes, hashes: Hashes) -> Numbers:
    """Where each hash stands in `ordered`, -1 for nowhere. Looked up in order, so that neighbours share the way there."""
    if not len(ordered):
        return np.full(len(hashes), -1)
    order = np.argsort(hashes)
    sought = hashes[order]
    found = np.searchsorted(ordered, sought)
    found[found == len(ordered)] = 0
    places = np.empty(len(hashes), np.int64)
    places[order] = np.where(ordered[found] == sought, found, -1)
    return places


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
