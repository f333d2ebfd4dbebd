"""An answer as a patient will see it, for the staff page. Pure."""

import datetime as dt
from dataclasses import dataclass

from bot.core import answers
from bot.core.conversation import decide
from bot.core.values import Address, Context, Incoming, Message, Patient
from bot.core.wording import Wording
from intents.faq import Entry, Faq
from intents.types import Understanding
from intents.understand import Understander

SOMEBODY = Address("preview", "preview")


@dataclass(frozen=True, slots=True)
class Shown:
    """One message on one messenger."""

    platform: str
    text: str
    buttons: tuple[str, ...]


def of_entry(entry: Entry, faq: Faq, language: str, traditional: bool, day: int | None) -> list[Shown]:
    """The entry's answer on Telegram and on LINE."""
    shown = []
    for platform in ("Telegram", "LINE"):
        words = Wording(faq, language, traditional, platform)
        shown.append(_shown(platform, answers.answer(entry, words, day)))
    return shown


def of_question(
    understander: Understander, text: str, language: str | None, day: int | None, now: dt.datetime
) -> tuple[Understanding, list[Shown]]:
    """How a question is understood, and everything that the patient would read."""
    faq = understander.faq
    meaning = understander.understand(text, language)
    date = now.date() - dt.timedelta(days=day) if day is not None else None
    patient = Patient(SOMEBODY, language=language, procedure_date=date)
    context = Context(patient, now, platform="Telegram", staff_reachable=True, takes_requests=True)
    decision = decide(Incoming(SOMEBODY, "try", now, "text", text), meaning, context, faq)
    return meaning, [_shown("Telegram", message) for message in decision.replies]


def _shown(platform: str, message: Message) -> Shown:
    return Shown(platform, message.words, tuple(button.label for button in message.buttons))
