"""The day of a procedure in the conversation: asked for, given, agreed to be kept. Pure."""

import datetime as dt

from bot.core import journey, procedures
from bot.core.actions import button, say
from bot.core.dates import FUTURE_DAYS, PAST_DAYS, DateReading
from bot.core.effects import Decision, Effect, GiveConsent, SetLanguage, SetProcedureDate
from bot.core.recovery import local_date
from bot.core.values import Button, Context, DatePicker, Incoming, Message
from bot.core.wording import Wording


def ask(words: Wording, context: Context, event: Incoming, typed: dt.date | None = None) -> Decision:
    """With a calendar, and the two likeliest days as buttons; or the day that was typed, to be sure that it is meant."""
    zone = context.patient.timezone or words.faq.clinic.timezone
    today = local_date(context.now, zone)
    picker = DatePicker(
        words("btn_date"),
        today - dt.timedelta(days=PAST_DAYS - 1),
        today + dt.timedelta(days=FUTURE_DAYS),
        context.patient.procedure_date or today,
    )
    buttons: tuple[Button, ...] = (
        button(words, "btn_today", f"date:{today}"),
        button(words, "btn_yesterday", f"date:{today - dt.timedelta(days=1)}"),
    )
    if typed:
        buttons = (Button(words.date(typed)[:20], f"date:{typed}"),)
    return say(words("ask_date"), *buttons, outcome="ask_date", picker=picker)


def given(reading: DateReading, typed: str, words: Wording, context: Context, kind: str = "") -> Decision:
    """What follows from a date; `kind`: the procedure that it is said to be for, when that is known."""
    if reading.kind == "impossible":
        return say(
            words("date_impossible", text=typed[:60]),
            button(words, "btn_date", "date"),
            outcome="date_impossible",
        )
    if reading.kind == "ambiguous":
        both = (Button(words.date(date)[:20], f"date:{date}") for date in reading.dates)
        return say(words("date_ambiguous"), *both, outcome="date_ambiguous")
    date = reading.dates[0]
    zone = context.patient.timezone or words.faq.clinic.timezone
    days = (local_date(context.now, zone) - date).days
    if days >= PAST_DAYS:
        return _too_old(date, words)
    if days < -FUTURE_DAYS:
        return say(
            words("date_too_far", date=words.date(date)),
            button(words, "btn_date", "date"),
            outcome="date_too_far",
        )
    if context.patient.consent_at is None:
        buttons = (
            button(words, "btn_agree", f"consent:{date}"),
            button(words, "btn_decline", "consent:no"),
            button(words, "btn_privacy", "privacy"),
        )
        return say(words.on_data("consent_ask"), *buttons, outcome="consent_ask")
    meant = procedures.meant(context.patient, kind)
    if meant is None:
        return _which(date, words, context)
    return Decision(
        (_date_saved(date, days, words),),
        (SetLanguage(words.language, words.traditional), SetProcedureDate(date, meant)),
        "date",
    )


def _which(date: dt.date, words: Wording, context: Context) -> Decision:
    """Of two procedures, the patient says which one the date is for. The date is in the buttons: nothing waits in memory."""
    buttons = (
        Button(words.procedure(item.kind), f"date:{date}:{item.kind}") for item in context.patient.procedures
    )
    text = "\n".join(
        (words("date_which", date=words.date(date)), *journey.procedure_lines(context.patient, words))
    )
    return say(text, *buttons, outcome="date_which")


def _date_saved(date: dt.date, days: int, words: Wording) -> Message:
    reminders = button(words, "btn_reminders", "reminders")
    if days < 0:
        return Message(words("date_saved_future", date=words.date(date)), (reminders,))
    return Message(words("date_saved", date=words.date(date), day=days), (reminders,))


def consented(argument: str, words: Wording, context: Context) -> Decision:
    """The answer to the question whether the date may be kept: "no", or the date itself."""
    if argument in ("no", ""):
        return say(words("consent_declined"), outcome="consent_declined")
    try:
        date = dt.date.fromisoformat(argument)
    except ValueError:
        return say(words("date_not_understood"), outcome="consent")
    zone = context.patient.timezone or words.faq.clinic.timezone
    days = (local_date(context.now, zone) - date).days
    if not -FUTURE_DAYS <= days < PAST_DAYS:  # the button waited too long
        return _too_old(date, words)
    effects: tuple[Effect, ...] = (
        GiveConsent(),
        SetLanguage(words.language, words.traditional),
        SetProcedureDate(date),
    )
    return Decision((Message(words("consent_thanks")), _date_saved(date, days, words)), effects, "consent")


def _too_old(date: dt.date, words: Wording) -> Decision:
    return say(
        words("date_too_old", date=words.date(date)),
        button(words, "btn_date", "date"),
        outcome="date_too_old",
    )
