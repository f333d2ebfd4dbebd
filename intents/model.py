"""The ranking model: a multinomial softmax over the library's labels, trained here, deterministic, cached by content."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from intents.vectors import Floats, Ints, Vectoriser

EPOCHS = 4  # more gains nothing on unseen questions
BATCH = 256  # of a large library; a small one learns better in smaller steps
RATE = 1.0
Progress = Callable[[str, float], None]  # what is being done, share done (0 to 1)


def quiet(_what: str, _share: float) -> None:
    """Progress nobody looks at."""


@dataclass
class Model:
    """`weights` has a row a feature and a column a label, as float16: reading a few hundred rows is all a message costs."""

    labels: tuple[str, ...]
    vectoriser: Vectoriser
    weights: np.ndarray[tuple[int, int], np.dtype[np.float16]]
    alarm: Floats  # a feature's weight in the second opinion: does the text report any danger?

    def probabilities(self, columns: Ints, values: Floats) -> Floats:
        """Probability of each label for one vector; columns that were added later say nothing here."""
        columns, values = self._trained(columns, values)
        logits = (
            values @ self.weights[columns].astype(np.float32)
            if len(columns)
            else np.zeros(len(self.labels), np.float32)
        )
        powers = np.exp(logits - logits.max())
        result: Floats = powers / powers.sum()
        return result

    def alarming(self, columns: Ints, values: Floats) -> float:
        """Probability, by the second opinion, that the text reports a danger now; 0 when it knows nothing of the text."""
        columns, values = self._trained(columns, values)
        if not len(columns):
            return 0.0
        return float(1 / (1 + np.exp(-float(values @ self.alarm[columns]))))

    def _trained(self, columns: Ints, values: Floats) -> tuple[Ints, Floats]:
        """Without the columns that staff's questions added later: nothing was learned for them."""
        trained = columns < len(self.weights)
        return (columns, values) if trained.all() else (columns[trained], values[trained])


def train(
    matrix: sp.csr_matrix,
    targets: Sequence[int] | npt.NDArray[np.int64],
    labels: int,
    progress: Progress = quiet,
    what: str = "training",
    epochs: int = EPOCHS,
) -> Floats:
    """Weights (features x labels) by AdaGrad on mini-batches; the step shrinks to zero, the order is seeded."""
    y = np.asarray(targets)
    weights = np.zeros((matrix.shape[1], labels), np.float32)
    gathered = np.full(matrix.shape[1], 1e-3, np.float32)
    order = np.random.default_rng(0)
    size = max(32, min(BATCH, matrix.shape[0] // 40))
    for epoch in range(epochs):
        rows = order.permutation(matrix.shape[0])
        step = 0.3 * RATE * (1 - epoch / epochs)
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            part = matrix[batch]
            error = softmax(part @ weights)
            error[np.arange(len(batch)), y[batch]] -= 1
            used = np.unique(part.indices)
            gradient = part[:, used].T @ error
            gathered[used] += (gradient * gradient).mean(1)
            weights[used] -= step * gradient / np.sqrt(gathered[used])[:, None]
        progress(what, (epoch + 1) / epochs)
    return weights


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    result: Floats = powers / powers.sum(1, keepdims=True)
    return result
