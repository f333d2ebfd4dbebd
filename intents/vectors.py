"""Features -> sparse unit vectors. A feature weighs more the fewer topics it occurs with; blocks are scaled separately."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from intents.features import Features

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

# How much each block may say, found by cross-validation on the library (benchmarks/tuning.py).
BLOCK_WEIGHTS = {
    "word": 1.0,
    "pair": 0.6,
    "char": 1.0,
    "cjk": 1.0,
    "hanpair": 0.5,
    "syllable": 1.0,
    "jamo": 0.8,
    "concept": 0.35,
}
RARE = 2  # a feature seen fewer times says nothing about other people's messages


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
        runs = [[ids.setdefault(key, len(ids)) for key in _keys(item)] for item in features]
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        flat = np.fromiter((i for run in runs for i in run), np.int64)
        label_of = np.repeat([number[label] for label in labels], [len(run) for run in runs])
        with_label = np.unique(flat * len(number) + label_of) // len(
            number
        )  # one for each feature and label it stands with
        spread = np.bincount(with_label, minlength=len(ids))
        kept = np.flatnonzero(np.bincount(flat, minlength=len(ids)) >= RARE)
        keys = list(ids)
        weights = np.log(1 + len(number) / spread[kept]).astype(np.float32)
        vectoriser = Vectoriser(
            {keys[i]: n for n, i in enumerate(kept.tolist())}, weights, math.log(1 + len(number))
        )
        return vectoriser, vectoriser.matrix(features)

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
        columns: list[int] = []
        parts: list[Floats] = []
        known = total = 0
        for block, items in features.items():
            keys = [block + item for item in items]
            found = [i for key in keys if (i := self.index.get(key, self.extra.get(key))) is not None]
            if block in ("word", "cjk", "syllable"):
                known, total = known + len(found), total + len(items)
            if found:
                weights = self.weights[found]
                parts.append(weights * (BLOCK_WEIGHTS[block] / math.sqrt(float(weights @ weights))))
                columns += found
        if not columns:
            return np.zeros(0, np.int32), np.zeros(0, np.float32), 0.0
        values = np.concatenate(parts)
        return np.array(columns, np.int32), values / math.sqrt(float(values @ values)), known / max(1, total)

    def matrix(self, features: Sequence[Features]) -> sp.csr_matrix:
        """One row of unit length for each item."""
        rows = [self.vector(item) for item in features]
        pointers = np.cumsum([0, *(len(columns) for columns, _, _ in rows)])
        columns = np.concatenate([r[0] for r in rows]) if rows else np.zeros(0, np.int32)
        values = np.concatenate([r[1] for r in rows]) if rows else np.zeros(0, np.float32)
        return sp.csr_matrix((values, columns, pointers), shape=(len(rows), self.width), dtype=np.float32)


def _keys(features: Features) -> Iterable[str]:
    return (block + item for block, items in features.items() for item in items)
