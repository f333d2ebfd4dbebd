"""What confidence is learned from: lines of the library, each judged by a model that has not seen it."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import scipy.sparse as sp

from intents.confidence import Confidence
from intents.evidence import Evidence, Labels, rank
from intents.features import Numbers
from intents.library import OUT_OF_SCOPE, Library
from intents.likeness import PhraseIndex
from intents.model import Trainer
from intents.spelling import Speller
from intents.text import fold

FOLDS = 5  # of a library of few lines
UNSURE = Confidence((0.0,))  # whatever the measures
Look = Callable[[str], Evidence]  # folded text -> what it resembles


def held_out(
    library: Library,
    folded: Sequence[str],
    speller: Speller,
    gists: sp.csr_matrix,
    known: Numbers,
    trainer: Trainer,
    kept: Numbers,
) -> Confidence:
    """Confidence for many lines, fitted on those that are not `kept`: `trainer` has learned from the others so far."""
    labels = [line.label for line in library.lines]
    kinds = Labels(library.labels)
    seen = sorted(np.flatnonzero(kept).tolist(), key=labels.__getitem__)
    index = PhraseIndex.of(
        gists[seen],
        [library.lines[i].text for i in seen],
        [labels[i] for i in seen],
    )
    judged = [i for i in np.flatnonzero(~kept).tolist() if not labels[i].startswith("!")]
    found = []
    for i, shares in zip(judged, trainer.judge(np.array(judged)), strict=True):
        row = slice(gists.indptr[i], gists.indptr[i + 1])
        nearest = partial(index.nearest, (gists.indices[row], gists.data[row]))
        speaks = partial(_support, trainer, i, kinds)
        slips = speller.read(folded[i])[2]
        found.append((rank(shares, kinds, nearest, speaks, float(known[i]), slips=slips), labels[i]))
    return _fitted(found)


def _support(trainer: Trainer, line: int, kinds: Labels, label: str) -> float:
    return trainer.support(line, kinds.number[label])


def cross_fitted(library: Library, matrix: sp.csr_matrix, learn: Callable[[Library], Look]) -> Confidence:
    """Confidence for few lines, each looked at by what `learn` makes of a library without it.

    A fifth of the lines is left out each time, and all lines of a fifth of the topics, which resemble each other: these are
    questions about something else, and what tells them is that their words are new too.
    """
    groups = left_out_together(library, matrix)
    found = []
    for number in range(FOLDS):
        left = [
            i % FOLDS == number or groups.get(line.label) == number for i, line in enumerate(library.lines)
        ]
        rest = tuple(line for line, out in zip(library.lines, left, strict=True) if not out)
        if not rest:
            continue
        look = learn(Library(rest, "rest", tuple(sorted({line.label for line in rest}))))
        judged = (line for line, out in zip(library.lines, left, strict=True) if out and line.label[0] != "!")
        found += [(look(fold(line.text)), line.label) for line in judged]
    return _fitted(found)


def _fitted(found: Sequence[tuple[Evidence, str]]) -> Confidence:
    """From the evidence for each line and the label it has."""
    if not found:
        return UNSURE
    best = [evidence.topics[0][0] if evidence.topics else OUT_OF_SCOPE for evidence, _ in found]
    right = [float(id == label != OUT_OF_SCOPE) for id, (_, label) in zip(best, found, strict=True)]
    return Confidence.fit(np.array([evidence.measures() for evidence, _ in found]), np.array(right))


def left_out_together(library: Library, matrix: sp.csr_matrix) -> dict[str, int]:
    """The number of the group that each topic is in: the topics most alike, FOLDS groups of about the same size."""
    topics = [label for label in library.labels if label[0] not in "!~@" and label != OUT_OF_SCOPE]
    rows = [[i for i, line in enumerate(library.lines) if line.label == topic] for topic in topics]
    middles = np.array([np.asarray(matrix[own].mean(axis=0))[0] for own in rows])
    alike = middles @ middles.T
    alike /= np.sqrt(np.outer(alike.diagonal(), alike.diagonal()))
    groups: dict[str, int] = {}
    free = list(range(len(topics)))
    while free:
        members = [free.pop(0)]
        while free and len(members) < math.ceil(len(topics) / FOLDS):
            members.append(free.pop(int(alike[members][:, free].mean(axis=0).argmax())))
        groups |= dict.fromkeys((topics[i] for i in members), len(set(groups.values())))
    return groups
