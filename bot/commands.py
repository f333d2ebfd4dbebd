"""What the commands do, apart from printing: small functions that __main__ wires to the terminal."""

import datetime as dt
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from bot.core import answers, checkins, journey
from bot.core.conversation import decide
from bot.core.reminders import plan
from bot.core.values import Address, Button, Context, Incoming, Patient
from bot.core.wording import Wording
from intents.faq import THREAD_LIFT, URGENCIES, Faq, Step
from intents.languages import LANGUAGES
from intents.understand import Understander

ASKER = Address("console", "ask")


def ask(
    understander: Understander,
    text: str,
    day: int | None,
    language: str | None,
    now: dt.datetime,
    buttons: bool = False,
) -> dict[str, object]:
    """One message -> the line that `smileline ask --jsonl` prints. `day`: the recovery day of the asker. `buttons`: the reply
    ends with them, in brackets."""
    faq = understander.faq
    meaning = understander.understand(text, language)
    date = (
        now.astimezone(ZoneInfo(faq.clinic.timezone)).date() - dt.timedelta(days=day)
        if day is not None
        else None
    )
    patient = Patient(ASKER, language=language, procedure_date=date)
    event = Incoming(ASKER, "ask", now, "text", text)
    decision = decide(event, meaning, Context(patient, now), faq)
    urgency = meaning.urgency
    if meaning.outcome == "answer" and meaning.matches:
        urgency = max(
            urgency, answers.urgency_on(faq.entries[meaning.matches[0].id], day), key=URGENCIES.index
        )
    return {
        "text": text,
        "language": meaning.language,
        "outcome": meaning.outcome,
        "urgency": urgency,
        "red_flag": meaning.red_flag,
        "matches": [{"id": match.id, "score": match.score} for match in meaning.matches],
        "reply": "\n\n".join(
            _with(message.buttons, message.words) if buttons else message.words
            for message in decision.replies
        ),
    }


def preview(
    faq: Faq, date: dt.date, language: str, timezone: str, detail: bool = False, kind: str = THREAD_LIFT
) -> Iterator[tuple[dt.datetime, str, str]]:
    """Every push of one journey: (local time, step id, text)."""
    zone = ZoneInfo(timezone)
    code, _, script = language.partition("-")
    words = Wording(faq, code, script == "Hant")
    for planned in plan(faq.steps_of(kind), date, timezone):
        step = faq.steps[planned.step_id]
        yield planned.due_at.astimezone(zone), step.id, _as_sent(step, words, detail, date)


def _as_sent(step: Step, words: Wording, detail: bool, date: dt.date) -> str:
    """The push, with the answers that its check-in offers in brackets."""
    message = journey.reminder(step, words, detail, asks_for=date)
    return _with(checkins.buttons(step, date, words), message.text)


def _with(buttons: Iterable[Button], text: str) -> str:
    offered = " ".join(f"[{button.label}]" for button in buttons)
    return f"{text}\n{offered}".rstrip()


def known_language(language: str) -> bool:
    return language.partition("-")[0] in LANGUAGES
