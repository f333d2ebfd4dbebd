"""The plain values that travel between the shells and the core. Nothing here knows a platform, a table or a clock."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from intents.faq import THREAD_LIFT

Kind = Literal["text", "edited", "action", "photo", "voice", "sticker", "other", "joined", "left"]
RemindersState = Literal["on", "paused", "stopped"]
AlertKind = Literal["danger", "person", "failure", "appointment", "check_in"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a patient is reached: a channel's name and the platform's chat id."""

    channel: str
    chat: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event from a platform, with nothing of the platform's own types left in it.

    `event_id` is unique within the channel (both platforms deliver events more than once). `at` is UTC.
    `reply_handle` is opaque to all but the channel (LINE's reply token, Telegram's message to edit).
    """

    address: Address
    event_id: str
    at: dt.datetime
    kind: Kind
    text: str = ""
    action: str = ""  # what a button carries, see bot.core.actions
    language_hint: str | None = None  # the platform profile's language, a BCP 47 tag
    reply_handle: str | None = None
    file: str | None = None  # what a picture's content is fetched by
    # What only the clinic's own chat tells:
    sender: str = ""  # the staff member's name
    thread: str | None = None  # the forum topic
    reply_to: str | None = None  # the message that is answered, or whose button was tapped
    message: str | None = None  # the message's own id, to copy it by within its platform


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation as people of the clinic read it. `name` is the staff member's."""

    at: dt.datetime
    who: Literal["patient", "bot", "staff", "note"]
    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """A patient's question and the words with which a person answered it. `talk_id` names the line of the reply."""

    talk_id: int
    question: str
    reply: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What the bot must know of the people's side before it answers."""

    taken_over: bool = False
    alert_open: bool = False
    asking_wishes: bool = False
    takes_requests: bool = False  # somebody will see a request for a visit, if not at once
    staff_at: dt.datetime | None = None  # when a person wrote to this patient last, or took over
    unsaid: tuple[str, ...] = ()  # what the patient could not be told of the open alert


@dataclass(frozen=True, slots=True)
class Button:
    """A choice: `label` of at most 20 characters, and the action that a tap sends back (at most 48 ASCII bytes)."""

    label: str
    action: str


@dataclass(frozen=True, slots=True)
class DatePicker:
    """Ask the channel for its own date picker; the tap sends back `date:YYYY-MM-DD`."""

    label: str
    first: dt.date
    last: dt.date
    initial: dt.date


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a patient. Channels render it with what they have and split what is too long.

    `heading` makes it a card on platforms that have them; elsewhere it is the first line.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    picker: DatePicker | None = None
    heading: str = ""

    @property
    def words(self) -> str:
        """All that is said, for a platform without cards."""
        return f"{self.heading}\n{self.text}".strip()


@dataclass(frozen=True, slots=True)
class Procedure:
    """One procedure of a patient; each has at most one of a kind (reminders.procedures of faq.yaml)."""

    kind: str
    date: dt.date


@dataclass(frozen=True, slots=True)
class Patient:
    """What is known about the person behind an address. Before consent only the session knows it, in memory.

    `procedures`: all that are known, in order of day. `procedure_date`: the day of the one that is spoken of at present,
    see bot.core.procedures.as_of; the newest, where nobody has asked that.
    """

    address: Address
    id: int | None = None  # None: nothing is kept
    language: str | None = None
    traditional: bool = False
    consent_at: dt.datetime | None = None
    timezone: str | None = None  # IANA name; None: the clinic's
    procedure_date: dt.date | None = None
    reminders: RemindersState = "on"
    detail: bool = False  # health details on the lock screen
    procedures: tuple[Procedure, ...] = ()


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A reminder that will go out: when (UTC), which step, and of which kind of procedure."""

    due_at: dt.datetime
    step_id: str
    kind: str = THREAD_LIFT


@dataclass(frozen=True, slots=True)
class Asked:
    """A reminder that went out at `at` (UTC), of the plan for `procedure_date`. Whether it asks something, the FAQ knows."""

    step_id: str
    procedure_date: dt.date
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """The patient's answer to a step's check-in, one of intents.short_answers.ANSWERS, given at `at` (UTC)."""

    step_id: str
    procedure_date: dt.date
    answer: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link of the clinic that somebody follows. `mine`: this patient has used it already."""

    payload: str
    state: Literal["open", "mine", "used", "expired", "invalid"]
    date: dt.date | None = None
    language: str | None = None
    traditional: bool = False
    timezone: str | None = None  # IANA name; None: the clinic's
    kind: str = THREAD_LIFT


@dataclass(frozen=True, slots=True)
class Context:
    """All that the conversation needs to know before it decides; gathered by the inbox."""

    patient: Patient
    now: dt.datetime
    upcoming: tuple[Upcoming, ...] = ()
    sent: int = 0
    platform: str = ""  # the channel's name as patients know it
    last_buttons: tuple[Button, ...] = ()  # what the last message offered, so that a typed label works too
    consent_open: Button | None = None  # agrees to what was asked before, and not answered
    last_entry: str | None = None  # what was answered last, for "where does this come from?"
    staff_reachable: bool = False
    taken_over: bool = False  # a person of the clinic is talking: the bot speaks of danger and of the patient's own data only
    alert_open: bool = False  # staff are concerned with this patient
    unsaid: tuple[str, ...] = ()  # what the patient could not be told of it
    asking_wishes: bool = False  # the patient was asked when they want to come
    takes_requests: bool = False  # somebody will see a request for a visit
    ask_helpful: bool = False  # whether it is time to ask "was this helpful?"
    check_ins: tuple[CheckedIn, ...] = ()  # answers that are kept, oldest first
    asked: Asked | None = None  # the check-in that a typed answer would be meant for
    invitation: Invitation | None = None  # the clinic's link that this event follows
    code: str | None = None  # six digits that join two chats, when this event brings them
    code_state: Literal["open", "own", "joined", "wrong"] = "wrong"
    fresh_code: str = ""  # to be shown if the patient asks for a code
