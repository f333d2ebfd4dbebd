"""What the clinic's people write in their own chat, as plain values. Pure, like `updates`."""

import datetime as dt
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from bot.channels.splitting import printable
from bot.channels.telegram.updates import OddUpdateError, picture_of, sender_name, update_number
from bot.core.values import Address, Incoming, Kind


def read_staff_update(update: Any, bot_id: str, now: dt.datetime, chats: Collection[str]) -> Incoming | None:
    """A message of a staff chat; None for everything else. Raises OddUpdateError.

    `thread` is set in a forum's topic, `reply_to` where a message is answered; both decide whom it goes to.
    """
    number = update_number(update)
    if number is None or not chats:
        return None
    try:
        for field, kind in (("message", None), ("edited_message", "edited")):
            if field in update and str(update[field]["chat"]["id"]) in chats:
                event = _message(update[field], f"{bot_id}-{number}", now)
                return event and (replace(event, kind=kind) if kind else event)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise OddUpdateError(f"update {number}: {type(err).__name__}") from None
    return None


def _message(message: Any, event_id: str, now: dt.datetime) -> Incoming | None:
    chat, text = str(message["chat"]["id"]), message.get("text", message.get("caption", ""))
    kind: Kind | None = (
        "text" if "text" in message else "photo" if picture_of(message) else _other(message, bool(text))
    )
    if kind is None or not isinstance(text, str) or _is_other_bot(message):
        return None
    return Incoming(
        Address("telegram", chat),
        event_id,
        now,
        kind,
        printable(text),
        sender=_name(message),
        thread=str(message["message_thread_id"]) if message.get("is_topic_message") else None,
        reply_to=_answered(message),
        message=str(int(message["message_id"])),
        file=picture_of(message),
    )


def _other(message: Any, has_text: bool) -> Kind | None:
    """Files and the like are passed on within Telegram; what a chat says about itself is nobody's message."""
    for field in (
        "photo",
        "video",
        "document",
        "voice",
        "audio",
        "animation",
        "sticker",
        "video_note",
        "location",
    ):
        if field in message:
            return "other"
    return "other" if has_text else None


def _answered(message: Any) -> str | None:
    answered = message.get("reply_to_message")
    if (
        not isinstance(answered, dict) or "forum_topic_created" in answered
    ):  # any message in a topic "answers" it
        return None
    return str(int(answered["message_id"]))


def _is_other_bot(message: Any) -> bool:
    """A bot, other than Telegram's own one that stands for anonymous administrators."""
    speaks_for_chat = (message.get("sender_chat") or {}).get("id") == message["chat"]["id"]
    return bool((message.get("from") or {}).get("is_bot")) and not speaks_for_chat


def _name(message: Any) -> str:
    if (message.get("sender_chat") or {}).get("id") == message["chat"]["id"]:
        signature = message.get("author_signature")
        return printable(signature)[:64] if isinstance(signature, str) else ""
    return sender_name(message.get("from"))
