"""What a text resembles: the probability of each label, as topics, danger signs, small talk and services."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from intents.library import OUT_OF_SCOPE
from intents.spelling import Changes
from intents.vectors import Floats

# Asking for one of the bot's services is asking about its topic.
SERVICE_TOPICS = {
    "stop": "reminders_help", "pause": "reminders_help", "resume": "reminders_help", "set_date": "reminders_help",
    "my_reminders": "reminders_help", "privacy": "privacy_data", "my_data": "privacy_data", "delete_data": "privacy_data",
    "person": "contact_clinic", "book": "book_consultation",
}  # fmt: skip


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
    support: float = 0.0  # share of the text that speaks for the best topic
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
            self.support,
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


def rank(
    shares: Floats,
    labels: Labels,
    nearest: Callable[[str], tuple[float, str]],
    support: Callable[[str], float],
    known: float,
    corrected: Changes = (),
    alarming: float | None = None,
    slips: float = 0.0,
    mended: str = "",
) -> Evidence:
    """Evidence from the probability of each label; `nearest` and `support` are asked for the best topic.

    `alarming` is the second opinion on danger; without it the signs' own probabilities stand alone.
    """
    of_signs = danger_of(shares, labels, known, alarming)
    topics, share_of = labels.best_topics(shares), shares.tolist()
    likeness, phrase = nearest(topics[0][0]) if topics else (0.0, "")
    speaks = support(topics[0][0]) if topics else 0.0
    return Evidence(
        topics,
        of_signs.signs,
        {name: share_of[i] for name, i in labels.small_talk},
        {name: share_of[i] for name, i in labels.services},
        0.0 if labels.elsewhere is None else share_of[labels.elsewhere],
        of_signs.danger,
        known,
        likeness,
        phrase,
        corrected,
        slips,
        speaks,
        mended,
    )


def danger_of(shares: Floats, labels: Labels, known: float, alarming: float | None) -> SignEvidence:
    """What the probability of each label and the second opinion say of danger."""
    signs = {name: float(shares[i]) for name, i in labels.signs if i < len(shares)}
    reported = sum(signs.values())
    return SignEvidence(signs, _trust(known) * (reported if alarming is None else (reported + alarming) / 2))
