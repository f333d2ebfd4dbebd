"""Features -> sparse unit vectors. A feature weighs more the fewer topics it occurs with; blocks are scaled separately."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from intents.features import Features

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

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
_SCALE = np.array(list(BLOCK_WEIGHTS.values()))
KNOWN_BY = ("word", "cjk", "syllable")  # the blocks whose known share tells gibberish from language
LARGE = 5_000  # lines of a library from which a feature seen once says nothing about other people's messages


@dataclass
class Vectoriser:
    """Vocabulary and weights. `index` maps block + feature to a column; `weights` has one float a column."""

    index: dict[str, int]
    weights: Floats
    rarest: float  # weight given to a feature that staff introduce
    extra: dict[str, int] = field(default_factory=dict)  # columns of those

    @staticmethod
    def fit(features: Sequence[Features], labels: Sequence[str]) -> tuple["Vectoriser", sp.csr_matrix]:
        """The vectoriser for these texts, and their matrix (a row of unit length for each)."""
        ids: dict[str, int] = {}
        flat, cells = _cells(features, lambda key: ids.setdefault(key, len(ids)))
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        label_of = np.array([number[label] for label in labels])[cells // len(_NUMBER)]
        with_label = np.unique(flat * len(number) + label_of) // len(
            number
        )  # one a feature and label it stands with
        spread = np.bincount(with_label, minlength=len(ids))
        seen = np.bincount(flat, minlength=len(ids)) >= (2 if len(features) >= LARGE else 1)
        place = np.where(seen, np.cumsum(seen) - 1, -1)
        weights = np.log(1 + len(number) / spread[seen]).astype(np.float32)
        index = {key: int(place[i]) for i, key in enumerate(ids) if seen[i]}
        vectoriser = Vectoriser(index, weights, math.log(1 + len(number)))
        kept = seen[flat]
        return vectoriser, vectoriser._rows(place[flat[kept]], cells[kept], len(features))

    def extended(self, features: Iterable[Features]) -> "Vectoriser":
        """A vectoriser that also has columns for features that only staff's own questions have. This one is unchanged."""
        extra: dict[str, int] = {}
        for key in (key for item in features for key in _keys(item)):
            if key not in self.index:
                extra.setdefault(key, len(self.index) + len(extra))
        weights = np.concatenate([self.weights, np.full(len(extra), self.rarest, np.float32)])
        return Vectoriser(self.index, weights, self.rarest, extra)

    def only(self, columns: Ints) -> "Vectoriser":
        """A vectoriser with these columns alone, in this order."""
        place = {int(old): new for new, old in enumerate(columns)}
        index = {key: place[i] for key, i in self.index.items() if i in place}
        return Vectoriser(index, self.weights[columns], self.rarest)

    @property
    def width(self) -> int:
        return len(self.weights)

    def vector(self, features: Features) -> tuple[Ints, Floats, float]:
        """(columns, values of unit length, share of the features that are known)."""
        index, extra = self.index, self.extra
        columns: list[int] = []
        blocks: list[int] = []
        known = total = 0
        for block, items in features.items():
            found = [i for item in items if (i := index.get(key := block + item, extra.get(key, -1))) >= 0]
            if block in KNOWN_BY:
                known, total = known + len(found), total + len(items)
            columns += found
            blocks += [_NUMBER[block]] * len(found)
        if not columns:
            return np.zeros(0, np.int32), np.zeros(0, np.float32), 0.0
        values = self.weights[columns].astype(np.float64)
        lengths = np.sqrt(np.bincount(blocks, values * values, minlength=len(_NUMBER)))
        values *= (_SCALE / np.maximum(lengths, 1e-9))[blocks]
        values /= math.sqrt(float(values @ values))
        return np.array(columns, np.int32), values.astype(np.float32), known / max(1, total)

    def matrix(self, features: Sequence[Features]) -> sp.csr_matrix:
        """One row of unit length for each item."""
        flat, cells = _cells(features, lambda key: self.index.get(key, self.extra.get(key, -1)))
        known = flat >= 0
        return self._rows(flat[known], cells[known], len(features))

    def _rows(self, columns: Any, cells: Any, rows: int) -> sp.csr_matrix:
        """Unit rows from columns and their cells (row x block); the same figures as `vector`, for many texts at once."""
        values = self.weights[columns].astype(np.float64)
        lengths = np.sqrt(np.bincount(cells, values * values, minlength=rows * len(_NUMBER)))
        values *= _SCALE[cells % len(_NUMBER)] / lengths[cells]
        row = cells // len(_NUMBER)
        values /= np.sqrt(np.bincount(row, values * values, minlength=rows))[row]
        pointers = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
        shape = (rows, self.width)
        return sp.csr_matrix((values.astype(np.float32), columns.astype(np.int32), pointers), shape=shape)


def _cells(features: Sequence[Features], column: Callable[[str], int]) -> tuple[Any, Any]:
    """(column of every feature, the cell it stands in: row x number of blocks + block), row by row."""
    columns: list[int] = []
    counts: list[int] = []
    cells: list[int] = []
    for row, item in enumerate(features):
        for block, items in item.items():
            columns += [column(block + feature) for feature in items]
            counts.append(len(items))
            cells.append(row * len(_NUMBER) + _NUMBER[block])
    return np.array(columns, np.int64), np.repeat(np.array(cells, np.int64), np.array(counts, np.int64))


def _keys(features: Features) -> Iterable[str]:
    return (block + item for block, items in features.items() for item in items)
