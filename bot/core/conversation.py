"""What to say and do about one incoming event: a plain function on plain values.

Order is safety: a danger sign in the text wins over everything, then the answer to a check-in (which may be one too), then a
person of the clinic who has taken over (but for what patients decide about their own data), then what a button or a typed label
asks for, then a date, the small words of service, and the FAQ.
"""

import datetime as dt
from dataclasses import replace

from bot.core import (
    answers,
    checkins,
    enrol,
    journey,
    pairing,
    procedure_date,
    rights,
    services,
    small_talk,
    typed,
    visits,
)
from bot.core.actions import MENU, button, say, split
from bot.core.dates import DateReading, read_date, tells_of_it
from bot.core.effects import (
    Decision,
    OpenAlert,
    RecordUnanswered,
    Relay,
    RequestAppointment,
    SetDetail,
    StopAsking,
    Unreachable,
)
from bot.core.recovery import local_date
from bot.core.values import Context, Incoming, Message
from bot.core.wording import Wording
from intents.faq import Faq
from intents.languages import DEFAULT_LANGUAGE
from intents.types import Understanding

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
        return services.start(words, context)
    if event.kind == "action":
        return _action(event.action, words, context, event)
    if meaning is None or not meaning.text.strip():
        return _without_words(event, words)
    if len(event.text) > MAX_TEXT:
        return say(words("too_long") + "\n\n" + words("urgent_signs"), outcome="too_long")
    return _text(event, meaning, words, context)


def _beside_a_person(event: Incoming, words: Wording, context: Context) -> Decision:
    own = rights.asked_for(event, typed.label(event.text, context.last_buttons))
    if own:
        return rights.carried_out(_action(own, words, context, event))
    return Decision((), (Relay(),), "taken_over")


def _linked(event: Incoming, words: Wording, context: Context) -> Decision | None:
    """What a link of the clinic, or a code from the patient's other chat, leads to."""
    asked = typed.asked(event.text, context.last_buttons, context.consent_open)
    if context.invitation:
        return enrol.follow(event, asked, words, context, context.invitation)
    if context.code:
        return pairing.join(context.code, bool(asked or event.action), words, context)
    return None


def words_for(meaning: Understanding | None, event: Incoming, context: Context, faq: Faq) -> Wording:
    """The words to answer in: the language of the text, else the patient's, else the profile's."""
    patient = context.patient
    hint = (event.language_hint or "").replace("_", "-")
    language = patient.language or profile_language(event, faq) or faq.languages[0]
    traditional = (
        patient.traditional if patient.language else hint.lower().startswith(("zh-hant", "zh-tw", "zh-hk"))
    )
    if meaning and meaning.text.strip() and not typed.command(event.text):
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
    if action := typed.asked(event.text, context.last_buttons, context.consent_open) or typed.named(
        event.text, words
    ):
        return _action(action, words, context, event)
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
            return small_talk.reply(meaning.small_talk or "hello", words, context)
        case _:
            record = RecordUnanswered(event.text, tuple(m.id for m in meaning.matches))
            return Decision((answers.unknown(words),), (record,), "unknown")


def _date(text: str, words: Wording, context: Context) -> DateReading:
    zone = context.patient.timezone or words.faq.clinic.timezone
    return read_date(text, words.language, local_date(context.now, zone))


def _has_another(date: dt.date, context: Context) -> bool:
    """Whether a date is kept that this one would move although nobody asked: "this morning" may be said of anything."""
    return context.patient.procedure_date not in (None, date) and not _asked_for_a_date(context)


def _only_a_date(text: str, words: Wording, context: Context) -> bool:
    """A day and nothing else reports no danger, whatever so short a text resembles: "last night" and 11/5 when we asked for it,
    "I had my threads done yesterday" and 昨日です at any time.
    """
    told = _asked_for_a_date(context) or tells_of_it(text)
    return told and _date(text, words, context).kind in ("found", "ambiguous")


def _asked_for_a_date(context: Context) -> bool:
    return any(offered.action.startswith("date:") for offered in context.last_buttons)


def _answer(
    entry_id: str, words: Wording, context: Context, meaning: Understanding | None = None
) -> Decision:
    entry = words.faq.entries.get(entry_id)
    if entry is None:  # a button older than the FAQ
        return Decision((answers.unknown(words),), (), "unknown")
    day = journey.today(context, words)
    message = answers.answer(entry, words, day, meaning.also if meaning else ())
    if entry.id in visits.ENTRIES:
        message = replace(message, buttons=(button(words, "btn_book", "book"), *message.buttons))
    elif context.ask_helpful and answers.urgency_on(entry, day) == "routine":
        message = answers.ask_helpful(message, entry, words)
    score = meaning.matches[0].score if meaning else None
    return Decision((message,), (), "answer", entry=entry.id, score=score)


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
            return services.source(words, replace(context, last_entry=argument), event)
        case "lang":
            return services.language(argument, words, context)
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
            return services.delete(argument, words)
        case "detail":
            key = "reminders_detail_on" if argument == "on" else "reminders_detail_off"
            return say(words(key), outcome="detail", effects=(SetDetail(argument == "on"),))
        case "none":
            person = button(words, "btn_person", "person")
            return say(f"{words('choices_none')}\n\n{words('urgent_signs')}", person, outcome="none")
        case _:
            return _service(MENU.get(verb, "help"), words, context, event)


def _service(service: str, words: Wording, context: Context, event: Incoming) -> Decision:
    if service == "book":
        return _answer("book_consultation", words, context)
    return services.of(service)(words, context, event)
