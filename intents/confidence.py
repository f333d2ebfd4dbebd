"""How sure: a logistic curve over the measures of one text, fitted on held-out folds of the library.

Any single measure is a poor judge of whether the best topic is right (probability, likeness to a known phrasing, share of
known words); together they are a good one. Each counts with its square too: being twice as far from known ground is more than
twice as bad.
"""

from dataclasses import dataclass
from operator import mul

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
ROUNDS = 25
RIDGE = 0.1


@dataclass(frozen=True)
class Confidence:
    """Weights of a logistic curve (1, the measures, their squares): the probability (0 to 1) that the best topic is the right one."""

    weights: tuple[float, ...]

    @staticmethod
    def fit(measures: Doubles, right: Doubles) -> "Confidence":
        """Newton's method; `measures` has a row a text, `right` is 1.0 where its best topic was the right one."""
        x = np.column_stack([np.ones(len(measures)), measures, measures * measures])
        w = np.zeros(x.shape[1])
        for _ in range(ROUNDS):
            p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
            slope = x.T @ (p - right) + RIDGE * w
            curve = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(w))
            w = w - np.linalg.solve(curve, slope)
        return Confidence(tuple(w.tolist()))

    def of(self, measures: list[float]) -> float:
        total = sum(map(mul, self.weights, [1.0, *measures, *map(mul, measures, measures)]))
        return float(1 / (1 + np.exp(-max(-30.0, min(30.0, total)))))
