"""The small words of service: what a patient wants the bot itself to do, by button, command or in words."""

from collections.abc import Callable

from bot.core import answers, checkins, journey, pairing, procedure_date
from bot.core.actions import button, say
from bot.core.effects import Decision, EraseAll, OpenAlert, SetLanguage, SetReminders
from bot.core.hours import is_open, next_opening, on_call_until
from bot.core.values import Button, Context, Incoming, Message
from bot.core.wording import Wording
from intents.languages import LANGUAGES

Service = Callable[[Wording, Context, Incoming], Decision]


def start(words: Wording, context: Context) -> Decision:
    greeting = Message(
        words("greeting"),
        (
            button(words, "btn_date", "date"),
            button(words, "btn_person", "person"),
            button(words, "btn_help", "help"),
        ),
    )
    if context.patient.language:
        return Decision((greeting,), (), "start")
    return Decision((greeting, _language_choice(words)), (), "start")


def _language_choice(words: Wording) -> Message:
    buttons = [Button(LANGUAGES[code].name, f"lang:{code}") for code in words.faq.languages]
    if "zh" in words.faq.languages:
        buttons[-1:] = [b for b in buttons[-1:] if b.action != "lang:zh"]
        buttons = [b for b in buttons if b.action != "lang:zh"]
        buttons += [Button("简体中文", "lang:zh"), Button("繁體中文", "lang:zh-Hant")]
    return Message(words("choose_language"), tuple(buttons))


def language(argument: str, words: Wording, context: Context) -> Decision:
    code, _, script = argument.partition("-")
    if code not in words.faq.languages:
        return Decision((_language_choice(words),), (), "language")
    chosen = Wording(words.faq, code, script == "Hant", words.platform)
    return say(
        chosen("language_set"),
        button(chosen, "btn_help", "help"),
        outcome="language",
        effects=(SetLanguage(code, script == "Hant"),),
    )


def _help(words: Wording, context: Context, event: Incoming) -> Decision:
    rows = (
        ("btn_date", "date"),
        ("btn_reminders", "reminders"),
        ("btn_person", "person"),
        ("btn_privacy", "privacy"),
        ("btn_data", "data"),
        ("btn_language", "language"),
    )
    return say(words("help"), *(button(words, key, action) for key, action in rows), outcome="help")


def _person(words: Wording, context: Context, event: Incoming) -> Decision:
    alert = OpenAlert("person", "call", None, event.text)
    clinic = words.faq.clinic
    if not context.staff_reachable:
        return say(words("person_unreachable"), outcome="person", effects=(alert,))
    if is_open(clinic, context.now):
        return say(words("person_open"), outcome="person", effects=(alert,))
    if until := on_call_until(clinic, context.now):
        return say(words("person_on_call", until=words.moment(until)), outcome="person", effects=(alert,))
    opening = next_opening(clinic, context.now)
    when = words.moment(opening) if opening else "-"
    return say(words("person_closed", next_open=when), outcome="person", effects=(alert,))


def _recovery(words: Wording, context: Context, event: Incoming) -> Decision:
    if context.patient.procedure_date is None:
        return procedure_date.ask(words, context, event)
    return Decision((journey.card(context, words),), (), "recovery")


def _my_reminders(words: Wording, context: Context, event: Incoming) -> Decision:
    date_button = button(words, "btn_date", "date")
    if context.patient.procedure_date is None:
        return say(words("reminders_none"), date_button, outcome="my_reminders")
    state = context.patient.reminders
    if state == "stopped":
        return say(words("reminders_stopped"), button(words, "btn_resume", "resume"), outcome="my_reminders")
    day = journey.today(context, words)
    lines = [words("day_known", day=day)] if day is not None and day >= 0 else []
    lines += [words("reminders_paused")] if state == "paused" else []
    lines += [words("reminders_header"), *journey.listing(context, words)]
    switch = ("btn_resume", "resume") if state == "paused" else ("btn_pause", "pause")
    return say(
        "\n".join(lines),
        button(words, *switch),
        button(words, "btn_stop", "stop"),
        date_button,
        outcome="my_reminders",
    )


def _set_reminders(words: Wording, context: Context, state: str) -> Decision:
    key, effect = {
        "paused": ("reminders_paused", SetReminders("paused")),
        "stopped": ("reminders_stopped", SetReminders("stopped")),
        "on": ("reminders_resumed", SetReminders("on")),
    }[state]
    if state != "stopped" and context.patient.procedure_date is None:
        return say(words("reminders_none"), button(words, "btn_date", "date"), outcome="reminders_on")
    other = ("btn_resume", "resume") if state != "on" else ("btn_reminders", "reminders")
    return say(words(key), button(words, *other), outcome=f"reminders_{state}", effects=(effect,))


def _privacy(words: Wording, context: Context, event: Incoming) -> Decision:
    return say(
        words.on_data("privacy"),
        button(words, "btn_data", "data"),
        button(words, "btn_delete", "delete"),
        outcome="privacy",
    )


def _my_data(words: Wording, context: Context, event: Incoming) -> Decision:
    patient = context.patient
    if patient.consent_at is None:
        return say(words("my_data_none"), button(words, "btn_privacy", "privacy"), outcome="my_data")
    lines = [words("my_data"), words("my_data_line_language", language=LANGUAGES[words.language].name)]
    lines += journey.procedure_lines(patient, words)
    lines.append(words("my_data_line_reminders", sent=context.sent, pending=len(context.upcoming)))
    if context.check_ins:
        lines.append(words("my_data_line_check_ins", answers=checkins.listing(context, words)))
    lines.append(words("my_data_line_consent", date=words.date(patient.consent_at.date())))
    return say(
        "\n".join(lines),
        *pairing.offered(words),
        button(words, "btn_delete", "delete"),
        button(words, "btn_privacy", "privacy"),
        outcome="my_data",
    )


def _delete_ask(words: Wording, context: Context, event: Incoming) -> Decision:
    lines = [words("delete_confirm")]
    if context.taken_over or context.alert_open:  # what staff see of it goes too
        lines.append(words("delete_ends_talk"))
    return say(
        "\n\n".join(lines),
        button(words, "btn_yes", "delete:yes"),
        button(words, "btn_no", "delete:no"),
        outcome="delete_ask",
    )


def delete(argument: str, words: Wording) -> Decision:
    if argument == "yes":
        return say(words("delete_done"), outcome="delete", effects=(EraseAll(),))
    return say(words("delete_cancelled"), outcome="delete_cancelled")


def source(words: Wording, context: Context, event: Incoming) -> Decision:
    entry = words.faq.entries.get(context.last_entry or "")
    if entry is None:
        return _help(words, context, event)
    lines = [answers.source_line(entry, words)]
    sources = (words.faq.file.sources[id] for id in entry.sources)
    lines += [link for s in sources if (link := f"https://doi.org/{s.doi}" if s.doi else s.url)]
    return say("\n".join(lines), outcome="source", effects=())


_SERVICES: dict[str, Service] = {
    "start": lambda words, context, event: start(words, context),
    "help": _help,
    "person": _person,
    "set_date": procedure_date.ask,
    "recovery": _recovery,
    "my_reminders": _my_reminders,
    "pause": lambda words, context, event: _set_reminders(words, context, "paused"),
    "resume": lambda words, context, event: _set_reminders(words, context, "on"),
    "stop": lambda words, context, event: _set_reminders(words, context, "stopped"),
    "privacy": _privacy,
    "my_data": _my_data,
    "delete_data": _delete_ask,
    "change_language": lambda words, context, event: Decision((_language_choice(words),), (), "language"),
    "source": source,
    "pair": lambda words, context, event: pairing.offer(words, context),
}


def of(name: str) -> Service:
    """The one of this name (see `actions.MENU`); help where there is none."""
    return _SERVICES.get(name, _help)
