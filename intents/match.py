"""Text + Faq -> ranked labels with calibrated confidence.

Three kinds of evidence: the model's probabilities (learned from the library), the staff's own questions in faq.yaml (which
outweigh, and work the moment the file is saved), and the nearest known phrasing (which also explains the result).
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from intents.faq import Faq
from intents.features import Hashes, read, words
from intents.lexicon import Lexicon
from intents.library import OUT_OF_SCOPE
from intents.model import Model
from intents.spelling import Changes, Speller, Usage
from intents.text import Normalised, fold
from intents.vectors import Floats, Gist, Ints, Vectoriser

# Asking for one of the bot's services is asking about its topic.
SERVICE_TOPICS = {
    "stop": "reminders_help", "pause": "reminders_help", "resume": "reminders_help", "set_date": "reminders_help",
    "my_reminders": "reminders_help", "privacy": "privacy_data", "my_data": "privacy_data", "delete_data": "privacy_data",
    "person": "contact_clinic", "book": "book_consultation",
}  # fmt: skip
STAFF_WEIGHT = 14.0  # how many logits an exact question of the staff adds
STAFF_FLOOR = 0.55  # likeness below which a staff question says nothing


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
    corrected: Changes = ()
    slips: float = 0.0  # share of the words that nobody who wrote the library typed so
    mended: str = ""  # the folded text without its slips

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


@dataclass(frozen=True, slots=True)
class SignEvidence:
    """What a part of a message says of danger; the fields are those of `Evidence`."""

    signs: dict[str, float]
    danger: float
    mended: str = ""


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
    texts: Sequence[str]
    spans: dict[str, tuple[int, int]]
    _blocks: dict[str, "_Block"] = field(default_factory=dict, repr=False)  # by label, once asked for

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
            for i in range(start, end):
                yield label, self.texts[i]

    def nearest(self, gist: Gist, label: str) -> tuple[float, str]:
        """(cosine, text) of the phrasing of `label` nearest to `gist`."""
        start, end = self.spans.get(label, (0, 0))
        if start == end:
            return 0.0, ""
        if label not in self._blocks:
            self._blocks[label] = _Block.of(self.matrix, start, end)
        cosines = self._blocks[label].cosines(gist)
        best = int(cosines.argmax())
        return float(cosines[best]), self.texts[start + best]


@dataclass(frozen=True)
class _Block:
    """Some rows, their columns numbered anew: a message costs what it shares with them, not all of them."""

    columns: Ints  # that these rows have, in order
    postings: "Postings"

    @staticmethod
    def of(matrix: sp.csr_matrix, start: int, end: int) -> "_Block":
        a, b = matrix.indptr[start], matrix.indptr[end]
        columns, local = np.unique(matrix.indices[a:b], return_inverse=True)
        parts = matrix.data[a:b], local.astype(np.int32), matrix.indptr[start : end + 1] - a
        return _Block(columns, Postings.of(sp.csr_matrix(parts, shape=(end - start, len(columns)))))

    def cosines(self, gist: Gist) -> Floats:
        """Likeness of every row to `gist`."""
        columns, values = gist
        places = self.columns.searchsorted(columns)
        places[places == len(self.columns)] = 0
        shared = (self.columns[places] == columns).nonzero()[0]
        return self.postings.cosines(places[shared], values[shared])


@dataclass(frozen=True, slots=True)
class Postings:
    """A matrix by columns: for each the rows that have it, and with what value."""

    starts: Ints
    sizes: Ints
    rows: Ints
    data: Floats
    height: int

    @staticmethod
    def of(matrix: sp.csr_matrix) -> "Postings":
        turned = sp.csc_matrix(matrix)
        starts = turned.indptr[:-1]
        return Postings(starts, np.diff(turned.indptr), turned.indices, turned.data, matrix.shape[0])

    def cosines(self, columns: Ints, values: Floats) -> Floats:
        """The product of every row with a vector that has `values` in `columns`."""
        sizes = self.sizes[columns]
        ends = sizes.cumsum()
        at = (self.starts[columns] - ends + sizes).repeat(sizes)
        at += np.arange(len(at), dtype=at.dtype)
        return np.bincount(self.rows[at], self.data[at] * values.repeat(sizes), self.height).astype(
            np.float32
        )


@dataclass(frozen=True)
class Questions:
    """The staff's own questions as they are compared."""

    words: frozenset[str]  # Latin ones: no slips, even when the library does not know them
    extra: Hashes  # features that only they have
    gists: sp.csr_matrix  # a row a question

    @staticmethod
    def of(folded: Sequence[str], lexicon: Lexicon, vectoriser: Vectoriser) -> "Questions":
        reading = read(folded, lexicon.find)
        extra = vectoriser.unknown(reading)
        wider = vectoriser.extended(extra)
        known = frozenset(word for text in folded for word in words(text))
        return Questions(known, extra, wider.gist_of(wider.matrix(reading)))


class StaffIndex:
    """The staff's own questions. Looked up by feature, so that a message costs what it shares with them, not all of them."""

    def __init__(self, phrases: PhraseIndex, labels: Mapping[str, int]) -> None:
        self.phrases = phrases
        self._postings = Postings.of(phrases.matrix)
        self._starts = np.array([start for start, _ in phrases.spans.values()], np.intp)
        self._labels = np.array([labels[name] for name in phrases.spans], np.int32)

    def cosines(self, gist: Gist) -> Floats:
        """Likeness of every question to `gist`."""
        return self._postings.cosines(*gist)

    def boosts(self, cosines: Floats) -> tuple[Ints, Floats]:
        """(labels, logits to add) of the labels that have a question much like the text."""
        best = np.maximum.reduceat(cosines, self._starts) if len(cosines) else cosines
        near = np.flatnonzero(best > STAFF_FLOOR)
        closeness = ((best[near] - STAFF_FLOOR) / (1 - STAFF_FLOOR)) ** 2
        return self._labels[near], (STAFF_WEIGHT * closeness).astype(np.float32)

    def nearest(self, cosines: Floats, label: str) -> tuple[float, str]:
        """(cosine, text) of the nearest question of `label`."""
        start, end = self.phrases.spans.get(label, (0, 0))
        if start == end:
            return 0.0, ""
        best = start + int(cosines[start:end].argmax())
        return float(cosines[best]), self.phrases.texts[best]


def _topic_of(label: str) -> str:
    return SERVICE_TOPICS.get(label[1:], "") if label[:1] == "@" else label


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
        self.elsewhere = self.number.get(OUT_OF_SCOPE)
        topic = {name: i for i, name in enumerate(self.topics)}
        self._topic = np.array([topic.get(_topic_of(name), len(topic)) for name in self.names], np.intp)

    def best_topics(self, shares: Floats) -> tuple[tuple[str, float], ...]:
        """The five likeliest topics, best first."""
        of_topics = np.bincount(self._topic[: len(shares)], shares, len(self.topics) + 1)[:-1]
        best = (-of_topics).argsort(kind="stable")[:5].tolist()
        return tuple((self.topics[i], float(of_topics[i])) for i in best)


class Matcher:
    """Ranks one text. Cheap to rebuild for a new Faq; the trained parts are shared."""

    def __init__(
        self,
        model: Model,
        usage: Usage,
        lexicon: Lexicon,
        library: PhraseIndex,
        faq: Faq,
        read: Callable[[list[str]], Questions] | None = None,
    ) -> None:
        """`read` reads the staff's questions, if it is known already how (see brain.remembered)."""
        self.model, self.lexicon, self.library = model, lexicon, library
        ordered = sorted(_questions(faq))
        labels, texts = [label for label, _ in ordered], [text for _, text in ordered]
        questions = read(texts) if read else Questions.of([fold(t) for t in texts], lexicon, model.vectoriser)
        self.speller = Speller(usage, questions.words)
        self.vectoriser = model.vectoriser.extended(questions.extra)
        staff = PhraseIndex.of(questions.gists, texts, labels)
        new = [name for name in staff.spans if name not in model.labels]
        self.labels = Labels([*model.labels, *new], faq.entries)
        self.staff = StaffIndex(staff, self.labels.number)

    def evidence(self, text: Normalised) -> Evidence:
        """All that the message resembles."""
        mended, corrected, slips = self.speller.read(text.text)
        columns, values, known = self.vectoriser.vector(read([mended], self.lexicon.find))
        gist = self.vectoriser.gist_vector(columns, values)
        cosines = self.staff.cosines(gist)

        def nearest(label: str) -> tuple[float, str]:
            return max(self.library.nearest(gist, label), self.staff.nearest(cosines, label))

        learned, alarming = self.model.opinions(columns, values)
        shares = self._boosted(self._extended(learned), cosines)
        return rank(shares, self.labels, nearest, known, corrected, alarming, slips, mended)

    def signs(self, texts: Sequence[Normalised]) -> list[SignEvidence]:
        """What each part of a message says of danger, by the model alone; read together, for most of the work is one."""
        mended = [self.speller.mend(text.text)[0] for text in texts]
        reading = read(mended, self.lexicon.find)
        matrix, known = self.vectoriser.matrix(reading), self.vectoriser.known(reading)
        found = []
        for row, text in enumerate(mended):
            own = slice(matrix.indptr[row], matrix.indptr[row + 1])
            learned, alarming = self.model.opinions(matrix.indices[own], matrix.data[own])
            said = danger_of(learned, self.labels, float(known[row]), alarming)
            found.append(replace(said, mended=text))
        return found

    def _boosted(self, shares: Floats, cosines: Floats) -> Floats:
        """Probability of each label, the staff's questions weighed in."""
        labels, boosts = self.staff.boosts(cosines)
        if not len(labels):
            return shares
        floor = np.where(boosts > 1, np.float32(1e-4), np.float32(0))
        shares[labels] = np.maximum(shares[labels], floor) * np.exp(boosts)
        result: Floats = shares / shares.sum()
        return result

    def _extended(self, learned: Floats) -> Floats:
        """With the labels that only staff have: of these nothing was learned, which is the least."""
        new = len(self.labels.names) - len(learned)
        return np.append(learned, np.full(new, learned.min())) if new else learned


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
    corrected: Changes = (),
    alarming: float | None = None,
    slips: float = 0.0,
    mended: str = "",
) -> Evidence:
    """Evidence from the probability of each label.

    `alarming` is the second opinion on danger; without it the signs' own probabilities stand alone.
    """
    of_signs = danger_of(shares, labels, known, alarming)
    topics = labels.best_topics(shares)
    likeness, phrase = nearest(topics[0][0]) if topics else (0.0, "")
    return Evidence(
        topics,
        of_signs.signs,
        {name: float(shares[i]) for name, i in labels.small_talk},
        {name: float(shares[i]) for name, i in labels.services},
        0.0 if labels.elsewhere is None else float(shares[labels.elsewhere]),
        of_signs.danger,
        known,
        likeness,
        phrase,
        corrected,
        slips,
        mended,
    )


def danger_of(shares: Floats, labels: Labels, known: float, alarming: float | None) -> SignEvidence:
    """What the probability of each label and the second opinion say of danger."""
    signs = {name: float(shares[i]) for name, i in labels.signs if i < len(shares)}
    reported = sum(signs.values())
    return SignEvidence(signs, _trust(known) * (reported if alarming is None else (reported + alarming) / 2))
