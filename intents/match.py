"""Text + Faq -> ranked labels with calibrated confidence.

Three kinds of evidence: the model's probabilities (learned from the library), the staff's own questions in faq.yaml (which
outweigh, and work the moment the file is saved), and the nearest known phrasing (which also explains the result).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from intents.faq import Faq
from intents.features import Features, extract, words
from intents.lexicon import Lexicon
from intents.library import OUT_OF_SCOPE
from intents.model import Model
from intents.spelling import Speller
from intents.text import Normalised, fold
from intents.vectors import Floats, Ints

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
        ]


def _trust(known: float) -> float:
    """How far an opinion on danger counts when only `known` of the text is known: letters of gibberish alarm nobody."""
    return 0.3 + 0.7 * min(1.0, known / 0.25)


def _log_odds(share: float) -> float:
    clipped = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(clipped / (1 - clipped))


@dataclass
class PhraseIndex:
    """Phrasings as unit vectors, rows of one label together."""

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
        """(cosine, text) of the phrasing of `label` nearest to the text spread out in `dense`."""
        start, end = self.spans.get(label, (0, 0))
        if start == end:
            return 0.0, ""
        a, b = self.matrix.indptr[start], self.matrix.indptr[end]
        products = self.matrix.data[a:b] * dense[self.matrix.indices[a:b]]
        sums = np.add.reduceat(np.append(products, 0.0), self.matrix.indptr[start:end] - a)
        best = int(sums.argmax())
        return float(sums[best]), self.texts[start + best]


class Matcher:
    """Ranks one text. Cheap to rebuild for a new Faq (`with_faq`); the trained parts are shared."""

    def __init__(
        self, model: Model, speller: Speller, lexicon: Lexicon, library: PhraseIndex, faq: Faq
    ) -> None:
        self.model, self.speller, self.lexicon, self.library = model, speller, lexicon, library
        questions = [
            (entry.id, text, extract(fold(text), lexicon.find))
            for entry in faq.file.entries
            for texts in entry.questions.values()
            for text in texts
        ]
        questions += [
            (f"!{flag.id}", text, extract(fold(text), lexicon.find))
            for flag in faq.file.red_flags
            for texts in (flag.examples or {}).values()
            for text in texts
        ]
        questions.sort(key=lambda row: row[0])
        self._staff_words = frozenset(word for _, text, _ in questions for word in words(fold(text)))
        self.vectoriser = model.vectoriser.extended([row[2] for row in questions])
        vectors = self.vectoriser.matrix([row[2] for row in questions])
        self.staff = PhraseIndex.of(vectors, [row[1] for row in questions], [row[0] for row in questions])
        self._staff_labels = sorted(self.staff.spans)
        starts = [self.staff.spans[label][0] for label in self._staff_labels]
        self._staff_starts = np.array(starts, np.intp)
        self.ids = frozenset(faq.entries)

    def _repair(self, word: str) -> str:
        """The staff's own words are no slips, even when the library does not know them."""
        return word if word in self._staff_words else self.speller.repair(word)

    def features(self, text: Normalised) -> tuple[Features, tuple[tuple[str, str], ...]]:
        changes = tuple((word, mended) for word in words(text.text) if (mended := self._repair(word)) != word)
        return extract(text.text, self.lexicon.find, self._repair), changes

    def evidence(self, text: Normalised) -> Evidence:
        features, corrected = self.features(text)
        columns, values, known = self.vectoriser.vector(features)
        dense = np.zeros(self.vectoriser.width, np.float32)
        dense[columns] = values
        shares = self._shares(columns, values, dense)
        alarming = self.model.alarming(columns, values)
        return rank(shares, lambda label: self._nearest(dense, label), self.ids, known, corrected, alarming)

    def _shares(self, columns: Ints, values: Floats, dense: Floats) -> dict[str, float]:
        """Probability of each label, the staff's questions weighed in."""
        probabilities = dict(
            zip(self.model.labels, self.model.probabilities(columns, values).tolist(), strict=True)
        )
        boosts = self._staff_boosts(dense)
        if not boosts:
            return probabilities
        base = min(probabilities.values())
        for label, boost in boosts.items():
            probabilities[label] = max(probabilities.get(label, base), 1e-4 if boost > 1 else 0.0) * float(
                np.exp(boost)
            )
        total = sum(probabilities.values())
        return {label: p / total for label, p in probabilities.items()}

    def _staff_boosts(self, dense: Floats) -> dict[str, float]:
        if not len(self._staff_starts):
            return {}
        likeness = np.maximum.reduceat(self.staff.matrix @ dense, self._staff_starts)
        return {
            self._staff_labels[i]: STAFF_WEIGHT * float((likeness[i] - STAFF_FLOOR) / (1 - STAFF_FLOOR)) ** 2
            for i in np.flatnonzero(likeness > STAFF_FLOOR)
        }

    def _nearest(self, dense: Floats, label: str) -> tuple[float, str]:
        return max(self.library.likeness(dense, label), self.staff.likeness(dense, label))


def _group(shares: dict[str, float]) -> dict[str, dict[str, float]]:
    """Shares by kind of label: '' topics, '!' signs, '~' small talk, '@' services (which count for their topic too)."""
    grouped: dict[str, dict[str, float]] = {"": {}, "!": {}, "~": {}, "@": {}}
    for label, share in shares.items():
        if label[0] in "!~@":
            grouped[label[0]][label[1:]] = share
        elif label != OUT_OF_SCOPE:
            grouped[""][label] = share
    for service, topic in SERVICE_TOPICS.items():
        if service in grouped["@"]:
            grouped[""][topic] = grouped[""].get(topic, 0.0) + grouped["@"][service]
    return grouped


def rank(
    shares: dict[str, float],
    nearest: Callable[[str], tuple[float, str]],
    ids: frozenset[str] | None,
    known: float,
    corrected: tuple[tuple[str, str], ...] = (),
    alarming: float | None = None,
) -> Evidence:
    """Evidence from the probability of each label; `ids` are the topics that may be answered (None: all).

    `alarming` is the second opinion on danger; without it the signs' own probabilities stand alone.
    """
    grouped = _group(shares)
    signs = sum(grouped["!"].values())
    danger = _trust(known) * (signs if alarming is None else (signs + alarming) / 2)
    topics = sorted(
        ((t, p) for t, p in grouped[""].items() if ids is None or t in ids), key=lambda item: -item[1]
    )[:5]
    likeness, phrase = nearest(topics[0][0]) if topics else (0.0, "")
    return Evidence(
        tuple(topics),
        grouped["!"],
        grouped["~"],
        grouped["@"],
        shares.get(OUT_OF_SCOPE, 0.0),
        danger,
        known,
        likeness,
        phrase,
        corrected,
    )
