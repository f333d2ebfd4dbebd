"""What the core decides: what to say, and what the shells shall do. Plain values too."""

import datetime as dt
from dataclasses import dataclass

from bot.core.values import AlertKind, Message, RemindersState
from intents.faq import THREAD_LIFT


@dataclass(frozen=True, slots=True)
class SetLanguage:
    language: str
    traditional: bool = False


@dataclass(frozen=True, slots=True)
class GiveConsent:
    """The patient agreed that data is kept; everything kept later hangs on this."""


@dataclass(frozen=True, slots=True)
class SetProcedureDate:
    date: dt.date
    kind: str = THREAD_LIFT


@dataclass(frozen=True, slots=True)
class SetReminders:
    state: RemindersState


@dataclass(frozen=True, slots=True)
class SetDetail:
    detail: bool


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """Tell the staff. The shell says afterwards, truthfully, whether they could be told."""

    kind: AlertKind
    urgency: str
    red_flag: str | None
    text: str


@dataclass(frozen=True, slots=True)
class EraseAll:
    """Delete everything that is kept about this person."""


@dataclass(frozen=True, slots=True)
class RecordUnanswered:
    """A question without an answer, kept for staff where the patient has consented."""

    text: str
    matches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The patient left or blocked the bot on this channel: nothing is sent there any more."""


@dataclass(frozen=True, slots=True)
class Relay:
    """What the patient said goes to the person who has taken over."""


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """The bot carried something out itself while a person talks with the patient: `note` is for that person."""

    note: str


@dataclass(frozen=True, slots=True)
class AskWishes:
    """The patient's next message is their request for a visit."""


@dataclass(frozen=True, slots=True)
class StopAsking:
    """The patient thought better of it, or speaks of something else."""


@dataclass(frozen=True, slots=True)
class RequestAppointment:
    """Staff shall confirm, move or decline what the patient wishes."""

    wishes: str


@dataclass(frozen=True, slots=True)
class CountFeedback:
    """An answer helped, or did not. Counted without a name."""

    entry: str
    helpful: bool


@dataclass(frozen=True, slots=True)
class KeepCheckIn:
    """The answer to a step's check-in; a later one takes its place."""

    step_id: str
    procedure_date: dt.date
    answer: str


@dataclass(frozen=True, slots=True)
class Enrol:
    """The patient agreed to what the clinic's link asks: consent, date, language and zone at once."""

    payload: str
    date: dt.date
    language: str
    traditional: bool
    timezone: str | None
    kind: str = THREAD_LIFT


@dataclass(frozen=True, slots=True)
class OfferCode:
    """Whoever types `code` in another chat belongs to this patient."""

    code: str


@dataclass(frozen=True, slots=True)
class JoinChats:
    """This chat belongs to the patient who was shown `code`."""

    code: str


Effect = (
    SetLanguage
    | GiveConsent
    | SetProcedureDate
    | SetReminders
    | SetDetail
    | OpenAlert
    | EraseAll
    | RecordUnanswered
    | Unreachable
    | Relay
    | CarriedOut
    | AskWishes
    | StopAsking
    | RequestAppointment
    | CountFeedback
    | KeepCheckIn
    | Enrol
    | OfferCode
    | JoinChats
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to say and what to do, in this order: replies first (the patient waits), then effects."""

    replies: tuple[Message, ...] = ()
    effects: tuple[Effect, ...] = ()
    outcome: str = ""  # for the record: an Understanding's outcome or the action's name
    entry: str | None = None
    score: float | None = None
    said: str = ""  # what a tapped button said, as staff read it; empty: its action will do
