"""For a library of few lines: the softmax solved to its optimum, with a weight a line and label instead of one a feature.

A thousand lines have tens of thousands of features, but the best weights are a sum of the lines, so that only their shares
are sought. The small steps of intents.model stop well short of that optimum when lines are few.

Labels that resemble each other learn together: what speaks for setting an alarm speaks a little for asking about one too.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from intents.features import Numbers
from intents.model import RARITY, quiet, sigmoid, softmax
from intents.reading import Progress
from intents.vectors import Floats

FEW = 2_500  # lines: the time grows with their square, 4 s for 1,500 lines of 150 labels on one slow core
RIDGE = 0.05
STEPS = 150  # with 60, four more of a hundred texts among 150 labels go to a wrong one
KIN = 0.9  # how far a label shares what it learns with the labels like it
ALONE = np.ones((1, 1), np.float32)  # the prior of a single output


class ExactTrainer:
    """Learns like intents.model.Trainer, whose place it takes; the lines of the last `run` are those that count."""

    def __init__(self, matrix: sp.csr_matrix, targets: Numbers, alarms: Numbers, labels: int) -> None:
        self._matrix, self._targets, self._alarms = matrix, targets, alarms
        self.weights: Floats = np.zeros((matrix.shape[1], labels), np.float32)
        self.alarm: Floats = np.zeros(matrix.shape[1], np.float32)

    @property
    def blocks(self) -> Sequence[Floats]:
        """See Trainer."""
        return [self.weights]

    def run(
        self, rows: Numbers, _epochs: int = 1, progress: Progress = quiet, what: str = "training"
    ) -> None:
        """Learn from `rows` alone."""
        lines, wanted, alarms = self._matrix[rows], self._targets[rows], self._alarms[rows]

        def misjudged(logits: Floats) -> Floats:
            error: Floats = sigmoid(logits + RARITY) - alarms[:, None]
            return error

        progress(what, 0.0)
        labels = self.weights.shape[1]
        alike = np.asarray((lines @ lines.T).todense(), np.float32)
        prior = kinship(alike, wanted, labels)
        self.weights = lines.T @ (shares(alike, missed(wanted), labels, 1 / 2, prior) @ prior)
        progress(what, 0.9)
        self.alarm = (lines.T @ shares(alike, misjudged, 1, 1 / 4))[:, 0]


def missed(wanted: Numbers) -> Callable[[Floats], Floats]:
    """The slope of the loss of a softmax at given logits, for lines that have these labels."""

    def errors(logits: Floats) -> Floats:
        error = softmax(logits)
        error[np.arange(len(wanted)), wanted] -= 1
        return error

    return errors


def kinship(alike: Floats, wanted: Numbers, labels: int) -> Floats:
    """A prior by which labels share what they learn as far as the middles of their lines resemble each other.

    What all have in common tells none from another and is left out.
    """
    own = np.zeros((labels, len(wanted)), np.float32)
    own[wanted, np.arange(len(wanted))] = 1
    own /= np.maximum(1, own.sum(1, keepdims=True))
    middles = own @ alike @ own.T
    lengths = np.sqrt(np.maximum(1e-9, middles.diagonal()))
    prior = KIN * np.sqrt(middles / np.outer(lengths, lengths)) + (1 - KIN) * np.eye(labels)
    prior -= prior.mean(0)
    prior -= prior.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(prior)
    result: Floats = ((vectors * np.maximum(0, values)) @ vectors.T).astype(np.float32)
    return result


def shares(
    alike: Floats,
    errors: Callable[[Floats], Floats],
    outputs: int,
    curve: float,
    prior: Floats = ALONE,
) -> Floats:
    """What each line adds to each output at the optimum: Nesterov's accelerated descent, deterministic.

    `alike` holds the products of all lines; `errors` gives the slope of the loss at the logits (both lines x outputs),
    `curve` is the most that this slope can change with a logit, and `prior` spreads what a line adds over the outputs.
    """
    steepest = curve * _largest(alike) * float(np.linalg.norm(prior, 2))
    step, ridge = np.float32(1 / (steepest + RIDGE)), np.float32(RIDGE)
    here: Floats = np.zeros((len(alike), outputs), np.float32)
    ahead = here
    run = 0
    for _ in range(STEPS):
        slope: Floats = errors(alike @ (ahead @ prior)) + ridge * ahead
        there: Floats = ahead - step * slope
        run = 0 if float(np.vdot(slope, there - here)) > 0 else run + 1  # too far: start again slowly
        momentum = np.float32(run / (run + 3))
        ahead = there + momentum * (there - here)
        here = there
    return here


def _largest(symmetric: Floats) -> float:
    """The largest eigenvalue, by repeated multiplication; all entries are products of lines, none negative."""
    vector = np.ones(len(symmetric), np.float32)
    for _ in range(20):
        vector = symmetric @ (vector / max(1e-9, float(np.linalg.norm(vector))))
    return 1.05 * float(np.linalg.norm(vector))
