"""Text + Faq -> ranked labels with calibrated confidence.

Three kinds of evidence: the model's probabilities (learned from the library), the staff's own questions in faq.yaml (which
outweigh, and work the moment the file is saved), and the nearest known phrasing (which also explains the result).
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp

from intents.faq import Faq
from intents.features import Features, extract, words
from intents.lexicon import Lexicon
from intents.library import OUT_OF_SCOPE
from intents.model import Model
from intents.spelling import Speller
from intents.text import Normalised, fold
from intents.vectors import Floats, Ints, Reading

# Asking for one of the bot's services is asking about its topic.
SERVICE_TOPICS = {
    "stop": "reminders_help", "pause": "reminders_help", "resume": "reminders_help", "set_date": "reminders_help",
    "my_reminders": "reminders_help", "privacy": "privacy_data", "my_data": "privacy_data", "delete_data": "privacy_data",
    "person": "contact_clinic", "book": "book_consultation",
}  # fmt: skip
STAFF_WEIGHT = 14.0  # how many logits an exact question of the staff adds
STAFF_FLOOR = 0.5  # likeness below which a staff question says nothing


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the text resembles. Probabilities sum to 1 over topics, signs, small talk, services and out of scope."""

    topics: tuple[tuple[str, float], ...]  # best first, at most 5
    signs: dict[str, float]
    small_talk: dict[str, float]
    services: dict[str, float]
    out_of_scope: float
    danger: float  # probability (0 to 1) that a danger is reported now: the mean of two opinions
    known: float  # share of the text's features that the vocabulary knows
    nearest: float  # likeness (0 to 1) of the nearest phrasing of the best topic
    phrase: str  # that phrasing
    corrected: tuple[tuple[str, str], ...] = ()
    slips: float = 0.0  # share of the words that nobody who wrote the library typed so

    def measures(self) -> list[float]:
        """What confidence is computed from; see intents.confidence."""
        first = self.topics[0][1] if self.topics else 0.0
        second = self.topics[1][1] if len(self.topics) > 1 else 0.0
        elsewhere = self.out_of_scope + sum(self.small_talk.values())
        return [
            first,
            first - second,
            elsewhere,
            _log_odds(first),
            _log_odds(elsewhere),
            self.danger,
            self.known,
            self.nearest,
            first * self.nearest,
            self.slips,
        ]


def _trust(known: float) -> float:
    """How far an opinion on danger counts when only `known` of the text is known: letters of gibberish alarm nobody."""
    return 0.3 + 0.7 * min(1.0, known / 0.25)


def _log_odds(share: float) -> float:
    clipped = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(clipped / (1 - clipped))


@dataclass
class PhraseIndex:
    """The gists of phrasings as unit vectors, rows of one label together."""

    matrix: sp.csr_matrix
    texts: list[str]
    spans: dict[str, tuple[int, int]]

    @staticmethod
    def of(matrix: sp.csr_matrix, texts: list[str], labels: list[str]) -> "PhraseIndex":
        """Index of rows that are sorted by label."""
        spans: dict[str, tuple[int, int]] = {}
        for i, label in enumerate(labels):
            spans[label] = (spans.get(label, (i, i))[0], i + 1)
        return PhraseIndex(matrix, texts, spans)

    def items(self) -> Iterator[tuple[str, str]]:
        """(label, phrasing) of every row."""
        for label, (start, end) in self.spans.items():
            for text in self.texts[start:end]:
                yield label, text

    def likeness(self, dense: Floats, label: str) -> tuple[float, str]:
        """(cosine, text) of the phrasing of `label` nearest to the gist spread out in `dense`."""
        start, end = self.spans.get(label, (0, 0))
        if start == end:
            return 0.0, ""
        a, b = self.matrix.indptr[start], self.matrix.indptr[end]
        products = self.matrix.data[a:b] * dense[self.matrix.indices[a:b]]
        sums = np.add.reduceat(np.append(products, np.float32(0)), self.matrix.indptr[start:end] - a)
        best = int(sums.argmax())
        return float(sums[best]), self.texts[start + best]


class StaffIndex:
    """The staff's own questions. Looked up by feature, so that a message costs what it shares with them, not all of them."""

    def __init__(
        self, matrix: sp.csr_matrix, spans: dict[str, tuple[int, int]], labels: dict[str, int]
    ) -> None:
        self._columns = sp.csc_matrix(matrix)
        self._rows = matrix.shape[0]
        self._starts = np.array([start for start, _ in spans.values()], np.intp)
        self._labels = np.array([labels[name] for name in spans], np.intp)

    def boosts(self, columns: Ints, values: Floats) -> tuple[Ints, Floats]:
        """(labels, logits to add) of the labels that have a question much like the text."""
        if not self._rows:
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        starts, ends = self._columns.indptr[columns], self._columns.indptr[columns + 1]
        sizes = ends - starts
        at = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
        shared = self._columns.data[at] * np.repeat(values, sizes)
        likeness = np.bincount(self._columns.indices[at], shared, minlength=self._rows)
        best = np.maximum.reduceat(likeness, self._starts)
        near = np.flatnonzero(best > STAFF_FLOOR)
        closeness = ((best[near] - STAFF_FLOOR) / (1 - STAFF_FLOOR)) ** 2
        return self._labels[near].astype(np.int32), (STAFF_WEIGHT * closeness).astype(np.float32)


class Labels:
    """Which label is what: '' topics, '!' signs, '~' small talk, '@' services (which count for their topic too)."""

    def __init__(self, names: Sequence[str], answerable: Collection[str] | None = None) -> None:
        self.names = tuple(names)
        self.number = {name: i for i, name in enumerate(self.names)}
        kinds = {kind: [name for name in names if name[0] == kind] for kind in "!~@"}
        self.signs, self.small_talk, self.services = (
            [(name[1:], self.number[name]) for name in kinds[kind]] for kind in "!~@"
        )
        self.topics = [
            name
            for name in names
            if name[0] not in "!~@" and name != OUT_OF_SCOPE and (answerable is None or name in answerable)
        ]
        self.of_topics = np.array([self.number[name] for name in self.topics], np.intp)
        self.elsewhere = self.number.get(OUT_OF_SCOPE)
        topic = {name: i for i, name in enumerate(self.topics)}
        pairs = [(topic[t], n) for s, n in self.services if (t := SERVICE_TOPICS.get(s, "")) in topic]
        self.served = np.array([t for t, _ in pairs], np.intp), np.array([n for _, n in pairs], np.intp)

    def best_topics(self, shares: Floats) -> tuple[tuple[str, float], ...]:
        """The five likeliest topics, best first."""
        of_topics = shares[self.of_topics].astype(np.float64)
        np.add.at(of_topics, self.served[0], shares[self.served[1]])
        best = np.argsort(-of_topics, kind="stable")[:5]
        return tuple((self.topics[i], float(of_topics[i])) for i in best)


class Matcher:
    """Ranks one text. Cheap to rebuild for a new Faq; the trained parts are shared."""

    def __init__(
        self,
        model: Model,
        counted: Mapping[str, int],
        lexicon: Lexicon,
        library: PhraseIndex,
        faq: Faq,
        read: Callable[[list[str]], Reading] | None = None,
    ) -> None:
        """`read` reads the staff's folded questions, if it is known already how (see brain.remembered)."""
        self.model, self.lexicon, self.library = model, lexicon, library
        questions = sorted(_questions(faq))
        folded = [fold(text) for _, text in questions]
        # The staff's own words are no slips, even when the library does not know them.
        self.speller = Speller(counted, {word for text in folded for word in words(text)})
        reading = (read or self.read)(folded)
        self.vectoriser = model.vectoriser.extended(reading)
        matrix = self.vectoriser.matrix(reading)
        labels = [label for label, _ in questions]
        self.staff = PhraseIndex.of(self.vectoriser.gist_of(matrix), [text for _, text in questions], labels)
        new = [name for name in self.staff.spans if name not in model.labels]
        self.labels = Labels([*model.labels, *new], faq.entries)
        self._staff = StaffIndex(matrix, self.staff.spans, self.labels.number)

    def read(self, folded: list[str]) -> Reading:
        return Reading.of(extract(text, self.lexicon.find) for text in folded)

    def features(self, text: Normalised) -> tuple[Features, tuple[tuple[str, str], ...]]:
        """(the features of the text, what was mended in it)."""
        changes = self.speller.changes(words(text.text))
        mended = tuple((typed, " ".join(meant)) for typed, meant in changes if (typed,) != meant)
        return extract(text.text, self.lexicon.find, self.speller.mend), mended

    def evidence(self, text: Normalised) -> Evidence:
        """All that the message resembles."""
        features, corrected = self.features(text)
        columns, values, known = self.vectoriser.vector(features)
        nearest = partial(self._nearest, self.vectoriser.dense_gist(columns, values))
        alarming = self.model.alarming(columns, values)
        slips = self.speller.slips(words(text.text))
        return rank(self._shares(columns, values), self.labels, nearest, known, corrected, alarming, slips)

    def signs(self, text: Normalised) -> Evidence:
        """What a part of a message says of danger, by the model alone: the nearest phrasing is not looked for."""
        columns, values, known = self.vectoriser.vector(self.features(text)[0])
        alarming = self.model.alarming(columns, values)
        return rank(self._learned(columns, values), self.labels, lambda _: (0.0, ""), known, (), alarming)

    def _shares(self, columns: Ints, values: Floats) -> Floats:
        """Probability of each label, the staff's questions weighed in."""
        shares = self._learned(columns, values)
        labels, boosts = self._staff.boosts(columns, values)
        if not len(labels):
            return shares
        floor = np.where(boosts > 1, np.float32(1e-4), np.float32(0))
        shares[labels] = np.maximum(shares[labels], floor) * np.exp(boosts)
        result: Floats = shares / shares.sum()
        return result

    def _learned(self, columns: Ints, values: Floats) -> Floats:
        learned = self.model.probabilities(columns, values)
        new = np.full(len(self.labels.names) - len(learned), learned.min(), np.float32)
        return np.concatenate([learned, new])

    def _nearest(self, dense: Floats, label: str) -> tuple[float, str]:
        return max(self.library.likeness(dense, label), self.staff.likeness(dense, label))


def _questions(faq: Faq) -> Iterator[tuple[str, str]]:
    """(label, question) of all that staff wrote."""
    for entry in faq.file.entries:
        yield from ((entry.id, text) for texts in entry.questions.values() for text in texts)
    for flag in faq.file.red_flags:
        yield from ((f"!{flag.id}", text) for texts in (flag.examples or {}).values() for text in texts)


def rank(
    shares: Floats,
    labels: Labels,
    nearest: Callable[[str], tuple[float, str]],
    known: float,
    corrected: tuple[tuple[str, str], ...] = (),
    alarming: float | None = None,
    slips: float = 0.0,
) -> Evidence:
    """Evidence from the probability of each label.

    `alarming` is the second opinion on danger; without it the signs' own probabilities stand alone.
    """
    signs = {name: float(shares[i]) for name, i in labels.signs}
    reported = sum(signs.values())
    topics = labels.best_topics(shares)
    likeness, phrase = nearest(topics[0][0]) if topics else (0.0, "")
    return Evidence(
        topics,
        signs,
        {name: float(shares[i]) for name, i in labels.small_talk},
        {name: float(shares[i]) for name, i in labels.services},
        0.0 if labels.elsewhere is None else float(shares[labels.elsewhere]),
        _trust(known) * (reported if alarming is None else (reported + alarming) / 2),
        known,
        likeness,
        phrase,
        corrected,
        slips,
    )
