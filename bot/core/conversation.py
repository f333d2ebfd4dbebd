"""What to say and do about one incoming event: a plain function on plain values.

Order is safety: a danger sign in the text wins over everything, then the answer to a check-in (which may be one too), then a
person of the clinic who has taken over (but for what patients decide about their own data), then what a button or a typed label
asks for, then a date, the small words of service, and the FAQ.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from bot.core import answers, checkins, enrol, journey, pairing, procedure_date, rights, visits
from bot.core.actions import MENU, OFFERED, agreed, button, consent_asked, left_open, say, split
from bot.core.dates import DateReading, read_date
from bot.core.effects import (
    Decision,
    EraseAll,
    OpenAlert,
    RecordUnanswered,
    Relay,
    RequestAppointment,
    SetDetail,
    SetLanguage,
    SetReminders,
    StopAsking,
    Unreachable,
)
from bot.core.hours import is_open, next_opening, on_call_until
from bot.core.recovery import local_date, recovery_day
from bot.core.values import Button, Context, Incoming, Message
from bot.core.wording import Wording
from intents.faq import Faq
from intents.languages import DEFAULT_LANGUAGE, LANGUAGES
from intents.types import Understanding

NAMED = ("reminders", "privacy", "data", "language", "pause", "resume", "stop", "delete", "book", "recovery")
MAX_TEXT = 4096  # what Telegram lets a person type; longer texts come from elsewhere


def decide(event: Incoming, meaning: Understanding | None, context: Context, faq: Faq) -> Decision:
    """The whole conversation, one step. `meaning` is the Understanding of the event's text, if it has text."""
    words = words_for(meaning, event, context, faq)
    answered = checkins.tapped(event.action) or checkins.typed(event.text, words, context)
    if meaning and meaning.outcome == "danger" and not _only_a_date(event.text, words, context):
        return _danger(meaning, words, context)
    if event.kind == "left":
        return Decision((), (Unreachable(),), "left")
    if linked := _linked(event, words, context):  # also while a person has taken over
        return linked
    if answered:
        return checkins.decide(answered, event.text, words, context)
    if context.taken_over:
        return _beside_a_person(event, words, context)
    if event.kind == "joined":
        return _start(words, context)
    if event.kind == "action":
        return _action(event.action, words, context, event)
    if meaning is None or not meaning.text.strip():
        return _without_words(event, words)
    if len(event.text) > MAX_TEXT:
        return say(words("too_long") + "\n\n" + words("urgent_signs"), outcome="too_long")
    return _text(event, meaning, words, context)


def _beside_a_person(event: Incoming, words: Wording, context: Context) -> Decision:
    own = rights.asked_for(event, typed_label(event.text, context.last_buttons))
    if own:
        return rights.carried_out(_action(own, words, context, event))
    return Decision((), (Relay(),), "taken_over")


def _linked(event: Incoming, words: Wording, context: Context) -> Decision | None:
    """What a link of the clinic, or a code from the patient's other chat, leads to."""
    typed = _typed(event, context)
    if context.invitation:
        return enrol.follow(event, typed, words, context, context.invitation)
    if context.code:
        return pairing.join(context.code, bool(typed or event.action), words, context)
    return None


def words_for(meaning: Understanding | None, event: Incoming, context: Context, faq: Faq) -> Wording:
    """The words to answer in: the language of the text, else the patient's, else the profile's."""
    patient = context.patient
    hint = (event.language_hint or "").replace("_", "-")
    language = patient.language or profile_language(event, faq) or faq.languages[0]
    traditional = (
        patient.traditional if patient.language else hint.lower().startswith(("zh-hant", "zh-tw", "zh-hk"))
    )
    if meaning and meaning.text.strip() and not _command(event.text):
        if meaning.language == "zh" and language != "zh":
            traditional = meaning.traditional
        elif meaning.language == "zh":
            traditional = meaning.traditional or traditional
        language = meaning.language
    if language not in faq.languages:
        language = DEFAULT_LANGUAGE if DEFAULT_LANGUAGE in faq.languages else faq.languages[0]
    return Wording(faq, language, traditional, context.platform)


def profile_language(event: Incoming, faq: Faq) -> str | None:
    """The language of the platform's profile, where we speak it: the first guess about somebody new."""
    code = (event.language_hint or "").replace("_", "-").split("-")[0].lower()
    return code if code in faq.languages else None


# --- danger, and what has no words


def _danger(meaning: Understanding, words: Wording, context: Context) -> Decision:
    flag = words.faq.red_flags.get(meaning.red_flag or "")
    reply = (
        answers.danger(flag, words)
        if flag
        else Message(words("error"), (button(words, "btn_person", "person"),))
    )
    alert = OpenAlert("danger", meaning.urgency, meaning.red_flag, meaning.text)
    # Wishes for a visit that tell of danger, or only seem to, reach the staff as wishes too: nothing is lost.
    wishes = (RequestAppointment(meaning.text),) if context.asking_wishes and not context.taken_over else ()
    return Decision((reply,), (alert, *wishes), "danger", entry=meaning.red_flag)


def _without_words(event: Incoming, words: Wording) -> Decision:
    key = f"unsupported_{event.kind}" if event.kind in ("photo", "voice", "sticker") else "unsupported_other"
    if event.kind in ("text", "edited"):
        key = "empty"
    return say(
        words(key), button(words, "btn_person", "person"), button(words, "btn_help", "help"), outcome=key
    )


# --- words


def _text(event: Incoming, meaning: Understanding, words: Wording, context: Context) -> Decision:
    typed = _typed(event, context) or _named(event.text, words)
    if typed:
        return _action(typed, words, context, event)
    if context.asking_wishes and visits.are_wishes(meaning):
        return visits.requested(event.text, words)
    reading = _date(event.text, words, context)
    if reading.kind == "found" and not reading.named and _has_another(reading.dates[0], context):
        return procedure_date.ask(words, context, event, reading.dates[0])
    if reading.kind != "none":
        return procedure_date.given(reading, event.text, words, context)
    if meaning.service:
        return _service(meaning.service, words, context, event)
    match meaning.outcome:
        case "answer":
            return _answer(meaning.matches[0].id, words, context, meaning)
        case "choices":
            message = answers.choices(meaning.matches, words, meaning.also)
            record = RecordUnanswered(event.text, tuple(m.id for m in meaning.matches))
            return Decision((message,), (record,), "choices", entry=meaning.matches[0].id)
        case "smalltalk":
            if meaning.small_talk == "ok" and consent_asked(
                context.last_buttons
            ):  # neither yes nor no: asked again
                return say(words.on_data("consent_ask"), *context.last_buttons, outcome="consent_ask")
            return _small_talk(meaning.small_talk or "hello", words)
        case _:
            record = RecordUnanswered(event.text, tuple(m.id for m in meaning.matches))
            return Decision((answers.unknown(words),), (record,), "unknown")


def _small_talk(key: str, words: Wording) -> Decision:
    buttons = [button(words, "btn_help", "help")]
    if key == "complaint":  # which offers a person
        buttons.insert(0, button(words, "btn_person", OFFERED))
    return say(words(key), *buttons, outcome="smalltalk")


def _date(text: str, words: Wording, context: Context) -> DateReading:
    zone = context.patient.timezone or words.faq.clinic.timezone
    return read_date(text, words.language, local_date(context.now, zone))


def _has_another(date: dt.date, context: Context) -> bool:
    """Whether a date is kept that this one would move although nobody asked: "this morning" may be said of anything."""
    return context.patient.procedure_date not in (None, date) and not _asked_for_a_date(context)


def _only_a_date(text: str, words: Wording, context: Context) -> bool:
    """A day and nothing else, given when we asked for it, reports no danger, whatever so short a text resembles: "last night", 11/5."""
    return _asked_for_a_date(context) and _date(text, words, context).kind in ("found", "ambiguous")


def _asked_for_a_date(context: Context) -> bool:
    return any(offered.action.startswith("date:") for offered in context.last_buttons)


def _typed(event: Incoming, context: Context) -> str | None:
    return typed_label(event.text, context.last_buttons) or left_open(event.text, context.consent_open)


def typed_label(text: str, buttons: tuple[Button, ...]) -> str | None:
    """The action of the button whose label, or number, was typed instead of tapped; `/word` is the menu's."""
    wanted = text.strip().casefold()
    for number, offered in enumerate(buttons, 1):
        if wanted in (offered.label.casefold(), str(number)):
            return offered.action
    return _command(text) or agreed(text, buttons)


def _named(text: str, words: Wording) -> str | None:
    """The menu's verb that a button of ours is called by, whether or not it was just shown: "Pause reminders"."""
    wanted = text.strip().casefold()
    return next((verb for verb in NAMED if wanted == words(f"btn_{verb}").casefold()), None)


def _command(text: str) -> str | None:
    """The menu's verb that `/verb` asks for, typed where there are no commands. It is a word of no language."""
    wanted = text.strip().casefold()
    return wanted[1:] if wanted.startswith("/") and wanted[1:] in MENU else None


def _answer(
    entry_id: str, words: Wording, context: Context, meaning: Understanding | None = None
) -> Decision:
    entry = words.faq.entries.get(entry_id)
    if entry is None:  # a button older than the FAQ
        return Decision((answers.unknown(words),), (), "unknown")
    day = _day(words, context)
    message = answers.answer(entry, words, day, meaning.also if meaning else ())
    if entry.id in visits.ENTRIES:
        message = replace(message, buttons=(button(words, "btn_book", "book"), *message.buttons))
    elif context.ask_helpful and answers.urgency_on(entry, day) == "routine":
        message = answers.ask_helpful(message, entry, words)
    score = meaning.matches[0].score if meaning else None
    return Decision((message,), (), "answer", entry=entry.id, score=score)


def _day(words: Wording, context: Context) -> int | None:
    zone = context.patient.timezone or words.faq.clinic.timezone
    return recovery_day(context.patient.procedure_date, context.now, zone)


# --- buttons, commands and words of service


def _action(action: str, words: Wording, context: Context, event: Incoming) -> Decision:
    decision = _pressed(action, words, context, event)
    if context.asking_wishes and split(action)[0] != "book":  # the patient has turned to something else
        return replace(decision, effects=(StopAsking(), *decision.effects))
    return decision


def _pressed(action: str, words: Wording, context: Context, event: Incoming) -> Decision:
    verb, argument = split(action)
    match verb:
        case "book":
            return visits.cancelled(words) if argument == "no" else visits.ask(words, context)
        case "good" | "bad":
            return answers.thank(verb == "good", argument, words)
        case "entry":
            return _answer(argument, words, context)
        case "source" if argument:
            return _source(words, replace(context, last_entry=argument), event)
        case "lang":
            return _language(argument, words, context)
        case "date" if argument:
            day, _, kind = argument.partition(":")
            try:
                reading = DateReading("found", (dt.date.fromisoformat(day),))
            except ValueError:
                reading = DateReading("impossible")
            return procedure_date.given(reading, day, words, context, kind)
        case "consent":
            return procedure_date.consented(argument, words, context)
        case "delete" if argument:
            return _delete(argument, words)
        case "detail":
            key = "reminders_detail_on" if argument == "on" else "reminders_detail_off"
            return say(words(key), outcome="detail", effects=(SetDetail(argument == "on"),))
        case "none":
            person = button(words, "btn_person", "person")
            return say(f"{words('choices_none')}\n\n{words('urgent_signs')}", person, outcome="none")
        case _:
            return _service(MENU.get(verb, "help"), words, context, event)


def _service(service: str, words: Wording, context: Context, event: Incoming) -> Decision:
    handler = _SERVICES.get(service)
    return handler(words, context, event) if handler else _help(words, context, event)


def _start(words: Wording, context: Context) -> Decision:
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


def _language(argument: str, words: Wording, context: Context) -> Decision:
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
    day = _day(words, context)
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


def _delete(argument: str, words: Wording) -> Decision:
    if argument == "yes":
        return say(words("delete_done"), outcome="delete", effects=(EraseAll(),))
    return say(words("delete_cancelled"), outcome="delete_cancelled")


def _source(words: Wording, context: Context, event: Incoming) -> Decision:
    entry = words.faq.entries.get(context.last_entry or "")
    if entry is None:
        return _help(words, context, event)
    lines = [answers.source_line(entry, words)]
    sources = (words.faq.file.sources[id] for id in entry.sources)
    lines += [link for s in sources if (link := f"https://doi.org/{s.doi}" if s.doi else s.url)]
    return say("\n".join(lines), outcome="source", effects=())


_SERVICES: dict[str, Callable[[Wording, Context, Incoming], Decision]] = {
    "start": lambda words, context, event: _start(words, context),
    "help": _help,
    "person": _person,
    "book": lambda words, context, event: _answer("book_consultation", words, context),
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
    "source": _source,
    "pair": lambda words, context, event: pairing.offer(words, context),
}
