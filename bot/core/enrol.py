"""Enrolment by the clinic: a link for one patient, and what is said to the one who follows it. Pure.

The link carries a payload of 28 letters: the random name of a row in the store, and the proof that we made it. The date,
the language and the end of its life stay in the store, so the link tells a stranger nothing.
"""

import base64
import datetime as dt
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from bot.core.actions import button, split
from bot.core.dates import FUTURE_DAYS, PAST_DAYS
from bot.core.effects import Decision, Enrol
from bot.core.recovery import local_date
from bot.core.values import Context, Incoming, Invitation, Message
from bot.core.wording import Wording
from intents.languages import LANGUAGES

NAME_BYTES = 12  # 96 random bits: nobody meets another's link by chance
PROOF_BYTES = 9  # 72 bits of HMAC-SHA256: a forged link is not even looked up
Sign = Callable[[str], bytes]

_NAME_LENGTH = 16
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{28}")  # name and proof in base64
# What a patient sends: LINE's link types it for them, and a link is sometimes pasted instead of followed.
_TYPED = re.compile(
    r"(?:/?start\s+|https?://t\.me/\w{1,64}/?\?start=|https?://line\.me/R/oaMessage/\S{1,80}?start(?:%20|\s|\+))"
    r"([A-Za-z0-9_-]{16,64})",
    re.IGNORECASE,
)


def seal(name: bytes, sign: Sign) -> str:
    """The payload of the link whose row is called `name` (NAME_BYTES random bytes)."""
    shown = _letters(name)
    return shown + _letters(sign(shown)[:PROOF_BYTES])


def opened(payload: str, sign: Sign) -> str | None:
    """The name of the row, or None when this payload was not made by us."""
    if not _PAYLOAD.fullmatch(payload):
        return None
    name, proof = payload[:_NAME_LENGTH], payload[_NAME_LENGTH:]
    return name if hmac.compare_digest(proof, _letters(sign(name)[:PROOF_BYTES])) else None


def _letters(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def telegram_link(bot_name: str, payload: str) -> str:
    """Opens the chat with the bot; its start button sends the payload (core.telegram.org/bots/features#deep-linking)."""
    return f"https://t.me/{bot_name.removeprefix('@')}?start={payload}"


def line_link(basic_id: str, payload: str) -> str:
    """Opens the chat with the words already typed (developers.line.biz, "Use LINE URL scheme": oaMessage)."""
    return f"https://line.me/R/oaMessage/{quote(basic_id, safe='')}/?{quote(f'start {payload}')}"


def as_link(event: Incoming) -> Incoming:
    """A message that is nothing but one of our links, as the event that following the link gives; others unchanged."""
    found = _TYPED.fullmatch(event.text.strip()) if event.kind in ("text", "edited") else None
    return replace(event, kind="joined", text="", action=f"start:{found[1]}") if found else event


def asked_for(event: Incoming, typed: str | None) -> str | None:
    """The payload that this event is about; `typed`: the action of the button whose label was typed."""
    verb, argument = split(typed or event.action)
    if verb == "start" and argument:
        return argument
    return argument if verb == "consent" and _PAYLOAD.fullmatch(argument) else None


def follow(
    event: Incoming, typed: str | None, words: Wording, context: Context, link: Invitation
) -> Decision:
    """What to do about one who follows `link`, or agrees to what it asks."""
    words = _spoken(link, words, context)
    if link.state == "mine":  # tapped twice, or we died before we could say so
        return _welcome(link, words, ())
    date = link.date
    if link.state != "open" or date is None:
        return _refused("link_invalid" if link.state == "open" else f"link_{link.state}", words)
    zone = link.timezone or words.faq.clinic.timezone
    if not -FUTURE_DAYS <= (local_date(context.now, zone) - date).days < PAST_DAYS:
        return _refused("link_expired", words)
    agreed = split(typed or event.action)[0] == "consent"
    if (context.patient.consent_at is None or context.patient.reminders != "on") and not agreed:
        return _ask(link.payload, date, words)
    return _welcome(
        link,
        words,
        (Enrol(link.payload, date, words.language, words.traditional, link.timezone, link.kind),),
    )


def _spoken(link: Invitation, words: Wording, context: Context) -> Wording:
    """The clinic knows the patient's language; a language that the patient chose here counts more."""
    if context.patient.language or link.language not in LANGUAGES or link.language not in words.faq.languages:
        return words
    return replace(words, language=link.language, traditional=link.traditional)


def _ask(payload: str, date: dt.date, words: Wording) -> Decision:
    text = f"{words('my_data_line_date', date=words.date(date))}\n\n{words.on_data('consent_ask')}"
    buttons = (
        button(words, "btn_agree", f"consent:{payload}"),
        button(words, "btn_decline", "consent:no"),
        button(words, "btn_privacy", "privacy"),
    )
    return Decision((Message(text, buttons),), (), "link_consent")


def _welcome(link: Invitation, words: Wording, effects: tuple[Enrol, ...]) -> Decision:
    text = words("link_ok", date=words.date(link.date) if link.date else "-")
    buttons = (
        button(words, "btn_reminders", "reminders"),
        button(words, "btn_date", "date"),
        button(words, "btn_help", "help"),
    )
    return Decision((Message(text, buttons),), effects, "link_ok")


def _refused(key: str, words: Wording) -> Decision:
    buttons = (button(words, "btn_person", "person"), button(words, "btn_help", "help"))
    return Decision((Message(words(key), buttons),), (), key)
