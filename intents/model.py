"""The ranking model: a multinomial softmax over the library's labels, trained here, deterministic, cached by content."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from intents.features import Numbers
from intents.reading import Progress
from intents.vectors import ROWS_AT_ONCE, Floats, Ints, Vectoriser, in_threads

BATCH = 2048  # of a large library; a small one learns better in smaller steps
RATE = 0.35
ALARM_RATE = 2.0
LEANING, ALARM_LEANING = 0.2, 0.3  # weights that a feature begins with: root of their mean square
RARITY = -1.5  # log odds of danger in a text of which nothing is known: about one line in six reports one
Bytes = np.ndarray[tuple[int, int], np.dtype[np.int8]]


def quiet(_what: str, _share: float) -> None:
    """Progress nobody looks at."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the model makes of one vector: the probability of each label, and by the second opinion that a danger is reported now."""

    shares: Floats
    alarming: float
    _values: Floats
    _rows: Bytes  # the weights of its features

    def support(self, label: int) -> float:
        """The share (0 to 1) of the vector whose features speak for the label with this number rather than against it."""
        if label >= self._rows.shape[1]:
            return 0.0
        return float((self._values * self._values) @ (self._rows[:, label] > 0))


@dataclass
class Model:
    """`weights` has a row a feature and a column a label, in steps of the row's `scales`: a byte each, for reading a few hundred
    rows is all that a message costs."""

    labels: tuple[str, ...]
    vectoriser: Vectoriser
    weights: Bytes
    scales: Floats
    alarm: Floats  # a feature's weight in the second opinion: does the text report any danger?

    @staticmethod
    def of(
        labels: tuple[str, ...], vectoriser: Vectoriser, weights: Sequence[Floats], alarm: Floats
    ) -> "Model":
        """From weights as they were learned, in blocks of columns."""
        largest = in_threads(lambda block: np.maximum(block.max(1), -block.min(1)), weights)
        scales = np.max(largest, 0) / np.float32(127)
        divisors = np.maximum(scales, 1e-12)[:, None]
        steps: Bytes = np.empty((len(scales), len(labels)), np.int8)

        def measure(place: tuple[int, Floats]) -> None:
            start, block = place
            for first in range(0, len(scales), ROWS_AT_ONCE):
                some = slice(first, first + ROWS_AT_ONCE)
                steps[some, start : start + block.shape[1]] = np.rint(block[some] / divisors[some])

        starts = np.cumsum([0, *(block.shape[1] for block in weights)]).tolist()
        in_threads(measure, list(zip(starts, weights, strict=False)))
        return Model(labels, vectoriser, steps, scales, alarm)

    def opinion(self, columns: Ints, values: Floats) -> Opinion:
        """Of one vector. Columns that were added later say nothing here; of a text of which nothing is known the second opinion
        is 0."""
        if len(columns) and columns.max() >= len(self.weights):
            trained = columns < len(self.weights)
            columns, values = columns[trained], values[trained]
        rows = self.weights.take(columns, 0)  # costs a quarter of what weights[columns] does
        logits = (values * self.scales.take(columns)) @ rows.astype(np.float32)
        powers = np.exp(logits - logits.max())
        alarming = sigmoid(float(values @ self.alarm.take(columns)) + RARITY) if len(columns) else 0.0
        return Opinion(powers / powers.sum(), float(alarming), values, rows)


class Trainer:
    """Learns the weights by AdaGrad on mini-batches: a softmax over all labels, and the second opinion on danger beside it.

    `matrix` has a row a line; `targets` are numbers of labels, `alarms` 1.0 where the line reports a danger; a batch holds
    lines of one of the `groups` (languages): they share few features, so a mixed batch is several small ones that cost more.
    The same input gives the same weights: the order is seeded. They begin where each feature leans in the lines of the first
    `run`. The step shrinks to zero over `epochs` in all. A line that was missed by no more than `enough` when it was last seen
    is left out: it has little to teach. The labels are learned in two halves, each in a thread of its own, for numpy and scipy
    let both cores work.
    """

    def __init__(
        self,
        matrix: sp.csr_matrix,
        targets: Numbers,
        alarms: Numbers,
        groups: Numbers,
        labels: int,
        epochs: int,
        enough: float = 0.0,
    ) -> None:
        self._missed, self._enough = np.full(matrix.shape[0], np.inf), enough
        self._column = np.zeros(matrix.shape[1], np.int32)  # of a feature's, its number in the present batch
        self._matrix, self._targets, self._alarms, self._groups = matrix, targets, alarms, groups
        self._epochs, self._done, self._labels = epochs, 0, labels
        middle = labels // 2
        self._halves = [np.zeros((matrix.shape[1], n), np.float32) for n in (middle, labels - middle)]
        self._middle, self._threads = middle, ThreadPoolExecutor(2)
        self.alarm = np.zeros(matrix.shape[1], np.float32)
        self._gathered = np.full((2, matrix.shape[1]), 1e-3, np.float32)  # of the weights, of the alarm
        self._order = np.random.default_rng(0)
        self._size = max(32, min(BATCH, matrix.shape[0] // 40))

    def judge(self, rows: Numbers) -> Floats:
        """The probability of each label for these lines, by what is learned so far."""
        lines = self._matrix[rows]
        return softmax(np.hstack(self._both(lambda half: lines @ half, self._halves)))

    def support(self, row: int, label: int) -> float:
        """What Opinion.support gives for a line, by what is learned so far."""
        cells = slice(self._matrix.indptr[row], self._matrix.indptr[row + 1])
        half, column = (0, label) if label < self._middle else (1, label - self._middle)
        values = self._matrix.data[cells]
        return float((values * values) @ (self._halves[half][self._matrix.indices[cells], column] > 0))

    @property
    def weights(self) -> Floats:
        """A row a feature, a column a label."""
        return np.hstack(self._halves)

    @property
    def blocks(self) -> Sequence[Floats]:
        """The same in blocks of columns, which costs nothing."""
        return self._halves

    def run(self, rows: Numbers, epochs: int, progress: Progress = quiet, what: str = "training") -> None:
        """Go over `rows` so many times; may be called again with others."""
        if not self._done:
            self._begin(rows)
        for epoch in range(epochs):
            step = RATE * (1 - self._done / self._epochs)
            worth = rows[self._missed[rows] > self._enough]
            batches = _batches(self._order, worth, self._groups, self._size)
            for i, batch in enumerate(batches):
                self._learn(batch, step)
                progress(what, (epoch + i / len(batches)) / epochs)
            self._done += 1

    def _begin(self, rows: Numbers) -> None:
        """Weights begin where each feature leans in all these lines together, of the same size for each feature.

        From there one epoch does what two do from nothing, for half of the price.
        """
        lines, alarms = self._matrix[rows], self._alarms[rows]
        labelled = (np.ones(len(rows), np.float32), self._targets[rows], np.arange(len(rows) + 1))
        label_of = sp.csr_matrix(labelled, shape=(len(rows), self._labels))
        total, shares = lines.sum(0).A1, label_of.mean(0).A1.astype(np.float32)

        def leanings(labels: slice) -> Floats:
            """The sum of a feature's values in the lines of each label, less what would be that label's share of all."""
            of_labels = sp.csr_matrix(label_of[:, labels].T) @ lines
            half: Floats = np.multiply.outer(-total, shares[labels])
            half[of_labels.indices, np.repeat(np.arange(of_labels.shape[0]), np.diff(of_labels.indptr))] += (
                of_labels.data
            )
            return half

        self._halves = self._both(leanings, (slice(self._middle), slice(self._middle, None)))
        squares = sum(np.einsum("ij,ij->i", half, half) for half in self._halves) / self._labels
        scales = (LEANING / np.sqrt(np.maximum(squares, 1e-18)))[:, None]
        for half in self._halves:
            half *= scales
        self.alarm = np.float32(ALARM_LEANING) * np.sign(lines.T @ (alarms - alarms.mean()))

    def _learn(self, batch: Numbers, step: float) -> None:
        used, part = self._part(batch)
        # Gathered once and written back once: memory is what training costs.
        halves, alarm = self._both(lambda half: half.take(used, 0), self._halves), self.alarm[used]
        turned = part.T.tocsr()
        # By features, one after the other, so that the weights are read in order: by lines it takes three times as long.
        error = softmax(np.hstack(self._both(lambda weights: turned.T @ weights, halves)))
        error[np.arange(len(batch)), self._targets[batch]] -= 1
        false = (sigmoid(part @ alarm + RARITY) - self._alarms[batch]).astype(np.float32)
        self._missed[batch] = np.maximum(np.abs(error).max(1), np.abs(false))
        errors = (error[:, : self._middle], error[:, self._middle :])
        gradients = self._both(lambda of_half: turned @ np.ascontiguousarray(of_half), errors)
        missed = turned @ false
        squares = self._both(lambda gradient: np.einsum("ij,ij->i", gradient, gradient), gradients)
        self._gathered[0, used] += sum(squares) / error.shape[1]
        self._gathered[1, used] += missed * missed
        rate = (step / np.sqrt(self._gathered[0, used]))[:, None]

        def update(half: int) -> None:
            gradients[half] *= rate
            halves[half] -= gradients[half]
            self._halves[half][used] = halves[half]

        self._both(update, (0, 1))
        self.alarm[used] = alarm - ALARM_RATE * step * missed / np.sqrt(self._gathered[1, used])

    def _part(self, batch: Numbers) -> tuple[Numbers, sp.csr_matrix]:
        """(the features that these lines have, the lines with only these as columns)."""
        rows = self._matrix[batch]
        marked = np.zeros(len(self._column), bool)
        marked[rows.indices] = True
        used = np.flatnonzero(marked)
        self._column[used] = np.arange(len(used))
        shape = (len(batch), len(used))
        return used, sp.csr_matrix((rows.data, self._column[rows.indices], rows.indptr), shape=shape)

    def _both(self, work: Callable[[Any], Any], halves: Iterable[Any]) -> list[Any]:
        return list(self._threads.map(work, halves))


def _batches(order: np.random.Generator, rows: Numbers, groups: Numbers, size: int) -> list[Numbers]:
    shuffled = order.permutation(rows)
    shuffled = shuffled[np.argsort(groups[shuffled], kind="stable")]
    cuts = np.flatnonzero(np.diff(groups[shuffled])) + 1
    batches = [run[i : i + size] for run in np.split(shuffled, cuts) for i in range(0, len(run), size)]
    return [batches[i] for i in order.permutation(len(batches))]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    result: Floats = powers / powers.sum(1, keepdims=True)
    return result
