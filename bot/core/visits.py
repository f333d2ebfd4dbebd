"""Booking a visit: the bot asks for the patient's wishes and passes them on; people decide."""

from bot.core.actions import button
from bot.core.effects import AskWishes, Decision, RequestAppointment, StopAsking
from bot.core.values import Context, Message
from bot.core.wording import Wording
from intents.types import Understanding

ENTRIES = ("book_consultation", "change_appointment")  # answers that offer the button
# Words of service that are part of a wish ("book Tuesday at three") rather than something else.
_WISHES = (None, "book", "set_date")


def ask(words: Wording, context: Context) -> Decision:
    """Ask for day, time and reason; said only where somebody will read the answer."""
    if not context.takes_requests:
        return Decision((Message(words("person_unreachable")),), (), "book_unreachable")
    cancel = button(words, "btn_cancel", "book:no")
    return Decision((Message(words("appointment_ask"), (cancel,)),), (AskWishes(),), "book")


def are_wishes(meaning: Understanding) -> bool:
    """Whether a text answers the question for wishes; a greeting or "stop" does not."""
    return meaning.service in _WISHES and (meaning.outcome != "smalltalk" or meaning.service is not None)


def requested(text: str, words: Wording) -> Decision:
    """The wishes are on their way to the staff."""
    return Decision((Message(words("appointment_received")),), (RequestAppointment(text),), "appointment")


def cancelled(words: Wording) -> Decision:
    return Decision((Message(words("ok"), (button(words, "btn_help", "help"),)),), (StopAsking(),), "book_no")
