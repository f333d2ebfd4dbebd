"""The shape of faq.yaml, the staff's file: every part and field, and what each may hold."""

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, create_model

from intents.messages import MESSAGES

Urgency = Literal["routine", "call", "urgent", "emergency"]
URGENCIES: tuple[Urgency, ...] = ("routine", "call", "urgent", "emergency")
LABEL_LENGTH = 20  # LINE cuts a quick reply's label here
ANSWER_LENGTH = 1500
ASKING_ID_LENGTH = 20  # of a step with a check-in: its buttons carry the id, and have 48 bytes
TEXT_LENGTH = 3000
THREAD_LIFT = "thread_lift"  # the kind of procedure that everybody has who is enrolled without naming one
KIND_LENGTH = 24  # of a kind of procedure: the buttons that ask which one carry it

_QUOTE_ME = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
}


def _as_typed(value: Any) -> Any:
    """Refuse unquoted text that other YAML programs read as something else (no, 9:30, 010, 2026-11-20)."""
    reads_as = _QUOTE_ME.get(getattr(value, "reads_as", ""))
    if reads_as and value:
        raise ValueError(f'{value} without quotes is read as {reads_as} by many programs; write "{value}"')
    return str(value) if isinstance(value, str) else value


def _plain(pattern: str, form: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise ValueError(f"{form} is wanted here")
        return str(value) if isinstance(value, str) else value

    return BeforeValidator(check)


Prose = Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=TEXT_LENGTH)]
Short = Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=200)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]
Lang = Literal["en", "ja", "ko", "zh"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Whole = Annotated[int, _plain(r"\d{1,4}", "a whole number such as 14")]
Minutes = Annotated[int, _plain(r"\d{1,3}", "a number of minutes such as 5"), Field(ge=1)]
Share = Annotated[float, _plain(r"0?\.\d+|0|1|1\.0", "a number from 0 to 1 such as 0.6"), Field(ge=0, le=1)]
Flag = Annotated[bool, _plain(r"true|false", "true or false")]
Day = Annotated[dt.date, _plain(r"\d{4}-\d\d-\d\d", "a date such as 2026-11-20")]
Clock = Annotated[dt.time, _plain(r"([01]\d|2[0-3]):[0-5]\d", 'a time with two digits each such as "09:30"')]
Span = Annotated[
    str,
    _plain(
        r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d",
        'opening hours with two digits each such as "10:00-19:00"',
    ),
]
Text = dict[Lang, Prose]
Label = dict[
    Lang, Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=LABEL_LENGTH)]
]
Questions = dict[Lang, Annotated[list[Short], Field(min_length=1)]]


class Strict(BaseModel):
    """No unknown keys, no change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerWithin(Strict):
    """Minutes until staff are called again about an alert that nobody has read."""

    urgent: Minutes = 5
    call: Minutes = 60


class Clinic(Strict):
    """Who answers: shown to patients, and the defaults of time and place."""

    name: Text
    phone: Short
    emergency_phone: Short
    address: Text
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    timezone: Short
    languages: Annotated[list[Lang], Field(min_length=1)]
    hours: dict[Weekday, list[Span]]
    on_call: dict[Weekday, list[Span]] = {}
    answer_within: AnswerWithin = AnswerWithin()
    closed: list[Day] = []
    price: Text | None = None
    emergency_numbers: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], Short]
    crisis_lines: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], Short]


class Source(Strict):
    """Where a fact comes from, in words a patient can read."""

    label: Text
    doi: Short | None = None
    url: Short | None = None


class Window(Strict):
    """What is true from day `first` to day `last` (none: for good) after the procedure; said before the answer."""

    first: Whole
    last: Whole | None = None
    urgency: Urgency = "routine"
    text: Text

    def holds(self, day: int) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)


class Reviewed(Strict):
    on: Day
    by: Short


class Entry(Strict):
    """One question and its answer."""

    id: Id
    group: Id
    urgency: Urgency
    label: Label
    questions: Questions
    answer: dict[
        Lang,
        Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=ANSWER_LENGTH)],
    ]
    by_day: list[Window] = []
    see_also: list[Id] = []
    sources: list[Id] = []
    beyond: Flag = False
    reviewed: Reviewed
    threshold: Share | None = None

    def window(self, day: int | None) -> Window | None:
        """The window that holds on recovery day `day`, if the entry has one."""
        return next((w for w in self.by_day if day is not None and w.holds(day)), None)


class RedFlag(Strict):
    """A danger sign: what to tell the patient at once. `examples` are reports that staff want recognised."""

    id: Id
    urgency: Literal["urgent", "emergency"]
    label: Label
    reply: Text
    examples: Questions | None = None


class Late(Strict):
    """What happens to a reminder that could not go out on time."""

    send_within_hours: Whole
    then: Literal["fold", "skip"]


class CheckIn(Strict):
    """A question that a reminder asks. `asks` says which answers it offers (bot.core.checkins.ANSWERS)."""

    asks: Literal["pain", "swelling", "fine"]
    question: dict[Lang, Short]


class Step(Strict):
    """One reminder: `day` after the procedure (day 0 is its day), `at` local time.

    `only_for`: the kinds of procedure that it belongs to; empty: to every kind.
    """

    id: Id
    only_for: list[Id] = []
    day: Whole
    at: Clock
    urgent: Flag = False
    late: Late
    headline: Text
    text: Text
    check_in: CheckIn | None = None


class QuietHours(Strict):
    start: Clock
    end: Clock


class Reminders(Strict):
    """`procedures`: the kinds that the clinic does, with the names that patients read; none: thread lifts only."""

    quiet_hours: QuietHours
    procedures: dict[Id, Label] = {}
    steps: Annotated[list[Step], Field(min_length=1)]


_FIELDS: dict[str, Any] = dict.fromkeys(MESSAGES, (Text, ...))
Messages: Any = create_model("Messages", __base__=Strict, **_FIELDS)


class FaqFile(Strict):
    """The whole file."""

    clinic: Clinic
    sources: dict[Id, Source]
    groups: dict[Id, Label]
    entries: Annotated[list[Entry], Field(min_length=1)]
    red_flags: Annotated[list[RedFlag], Field(min_length=1)]
    reminders: Reminders
    messages: Messages
