"""What a text means, as plain values that travel."""

from dataclasses import dataclass
from typing import Literal

from intents.faq import Urgency

Outcome = Literal["danger", "answer", "choices", "smalltalk", "unknown"]

# Small words of service: what the patient wants the bot itself to do.
Service = Literal[
    "person", "stop", "pause", "resume", "set_date", "my_reminders", "privacy", "my_data", "delete_data",
    "change_language", "help", "source", "book",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that may answer the text. `score` is the calibrated probability (0 to 1) that it is the right one."""

    id: str
    score: float
    phrase: str = ""  # the nearest known phrasing


@dataclass(frozen=True, slots=True)
class Understanding:
    """The meaning of one text. `matches` has at most 5 entries, best first, also when the outcome is danger; `also` those that a
    question in it asks for by itself, beside the best."""

    text: str
    language: str  # the language to answer in
    outcome: Outcome
    urgency: Urgency = "routine"
    red_flag: str | None = None
    matches: tuple[Match, ...] = ()
    small_talk: str | None = None  # key of the reply in faq.yaml's messages
    service: Service | None = None
    traditional: bool = False  # Chinese written in Traditional characters
    why: tuple[str, ...] = ()  # how it was decided, for staff
    also: tuple[Match, ...] = ()
