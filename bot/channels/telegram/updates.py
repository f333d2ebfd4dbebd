"""What Telegram delivers, as plain values. Pure: a Bot API update (JSON, see core.telegram.org/bots/api#update) goes in.

Read by hand rather than by the library's parser: one field that it does not expect would cost the whole update.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from bot.channels.splitting import printable
from bot.core.actions import MENU
from bot.core.values import Address, Incoming, Kind

_KINDS: dict[str, Kind] = {
    "photo": "photo",
    "voice": "voice",
    "audio": "voice",
    "video_note": "voice",
    "sticker": "sticker",
}
# What a chat says about itself; nobody waits for an answer to it (the "Service message" fields of Message).
_SERVICE = re.compile(
    r"pinned_message|successful_payment|refunded_payment|users?_shared|chat_shared|connected_website|write_access_allowed"
    r"|proximity_alert_triggered|boost_added|chat_background_set|web_app_data|new_chat_|left_chat_|delete_chat_|group_chat_"
    r"|supergroup_|channel_chat_|message_auto_delete|forum_topic_|general_forum_|giveaway|video_chat_|direct_message_price"
    r"|paid_message_price|checklist_tasks|suggested_post_|gift|unique_gift|passport_data|managed_bot"
)
_FILE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PAYLOAD = re.compile(
    r"[A-Za-z0-9_-]{1,42}"
)  # Telegram allows 64; `start:` and this make an action of at most 48
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w+)?(?:\s+|$)(.*)", re.DOTALL)


class OddUpdateError(Exception):
    """An update in a shape that the Bot API does not describe. The message holds nothing of its content."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A button was pressed. `keyboard` is what stood under the message, when Telegram still knows it."""

    update_id: int
    chat: str
    message_id: int
    query_id: str
    data: str
    keyboard: list[list[tuple[str, str]]]
    language: str | None
    sender: str = ""


@dataclass(frozen=True, slots=True)
class GroupCall:
    """Somebody speaks to the bot in a group, or put it there."""

    chat: str
    language: str | None


@dataclass(frozen=True, slots=True)
class ChatMoved:
    """A group became a supergroup."""

    old: str
    new: str


Parsed = Incoming | Tap | GroupCall | ChatMoved | None


def update_number(update: Any) -> int | None:
    """The update's id, or None when it has none."""
    number = update.get("update_id") if isinstance(update, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def read_update(update: Any, bot_id: str, now: dt.datetime) -> Parsed:
    """What `update` means to us; None for what concerns nobody. Raises OddUpdateError.

    `bot_id` goes into the event id: update numbers are unique for one bot only.
    """
    number = update_number(update)
    if number is None:
        raise OddUpdateError("no update_id")
    try:
        for field, reader in _READERS.items():
            if field in update:
                return reader(update[field], f"{bot_id}-{number}", number, now)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as err:
        raise OddUpdateError(f"update {number}: {type(err).__name__}") from None
    return None


def _message(message: Any, event_id: str, number: int, now: dt.datetime) -> Parsed:
    chat, language = _chat(message["chat"]), _language(message.get("from"))
    if isinstance(new := message.get("migrate_to_chat_id"), int):
        return ChatMoved(chat, str(new))
    if message["chat"]["type"] != "private":
        spoken = any(isinstance(message.get(key), str) for key in ("text", "caption"))
        return GroupCall(chat, language) if spoken and message["chat"]["type"] != "channel" else None
    text = message.get("text", message.get("caption", ""))
    if not isinstance(text, str):
        raise TypeError("text")
    kind = _kind(message)
    if kind is None:
        return None
    base = Incoming(
        Address("telegram", chat),
        event_id,
        _moment(message.get("date"), now),
        kind,
        printable(text),
        "",
        language,
        file=picture_of(message),
        message=str(message.get("message_id", ""))[:20] if kind != "text" else None,  # to pass a picture on
    )
    return _command(base) if kind == "text" and text.startswith("/") else base


def _edited(message: Any, event_id: str, number: int, now: dt.datetime) -> Parsed:
    parsed = _message(message, event_id, number, now)
    if not isinstance(parsed, Incoming) or parsed.kind not in ("text", "photo", "other"):
        return None
    if not parsed.text:  # a live location moves, a picture is exchanged: nothing to read again
        return None
    at = _moment(message.get("edit_date"), now)
    return Incoming(parsed.address, event_id, at, "edited", parsed.text, "", parsed.language_hint)


def _tap(query: Any, event_id: str, number: int, now: dt.datetime) -> Parsed:
    message, data = query.get("message"), query.get("data")
    if not isinstance(message, dict) or not isinstance(data, str):  # of an inline message or a game: not ours
        return None
    chat, language = _chat(message["chat"]), _language(query.get("from"))
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    keyboard = [
        [(str(button["text"]), str(button.get("callback_data", ""))) for button in row] for row in rows
    ]
    who = sender_name(query.get("from"))
    return Tap(number, chat, int(message["message_id"]), str(query["id"]), data, keyboard, language, who)


def _member(change: Any, event_id: str, number: int, now: dt.datetime) -> Parsed:
    chat, language = _chat(change["chat"]), _language(change.get("from"))
    status, kind = change["new_chat_member"]["status"], change["chat"]["type"]
    if kind in ("group", "supergroup"):
        return GroupCall(chat, language) if status == "member" else None
    if kind != "private" or status not in ("kicked", "member"):
        return None
    at = _moment(change.get("date"), now)
    return Incoming(
        Address("telegram", chat), event_id, at, "left" if status == "kicked" else "joined", "", "", language
    )


_READERS = {"message": _message, "edited_message": _edited, "callback_query": _tap, "my_chat_member": _member}


def _command(event: Incoming) -> Incoming:
    """`/date` is an action; words after a command are read as words, since they may tell of danger."""
    found = _COMMAND.fullmatch(event.text.strip())
    if not found:
        return event
    verb, rest = found[1].lower(), found[2].strip()
    if verb == "start" and (not rest or _PAYLOAD.fullmatch(rest)):
        return _with(event, "joined", "", f"start:{rest}" if rest else "")
    if verb in MENU:
        return _with(event, "text", rest, "") if rest else _with(event, "action", "", verb)
    return _with(event, "text", f"{verb} {rest}".replace("_", " ").strip(), "")


def _with(event: Incoming, kind: Kind, text: str, action: str) -> Incoming:
    return Incoming(event.address, event.event_id, event.at, kind, text, action, event.language_hint)


def picture_of(message: dict[str, Any]) -> str | None:
    """What the message's picture is fetched by: a photo's largest size, or a picture that was sent as a file."""
    sizes, document = message.get("photo"), message.get("document")
    if isinstance(sizes, list) and sizes:
        found = max(sizes, key=lambda size: int(size["width"]) * int(size["height"]))["file_id"]
    elif isinstance(document, dict) and str(document.get("mime_type", "")).startswith("image/"):
        found = document["file_id"]
    else:
        return None
    return found if isinstance(found, str) and _FILE.fullmatch(found) else None


def _kind(message: dict[str, Any]) -> Kind | None:
    if "text" in message:
        return "text"
    if picture_of(message):
        return "photo"
    for field, kind in _KINDS.items():
        if field in message:
            return kind
    return None if any(_SERVICE.match(field) for field in message) else "other"


def _chat(chat: Any) -> str:
    number = chat["id"]
    if (
        not isinstance(number, int)
        or isinstance(number, bool)
        or not isinstance(chat["type"], str)
        or abs(number) >= 2**63
    ):
        raise TypeError("chat")
    return str(number)


def sender_name(sender: Any) -> str:
    """How a person calls themselves, cut to 64 characters; the clinic's people only, patients stay nameless."""
    names = [sender.get(key) for key in ("first_name", "last_name")] if isinstance(sender, dict) else []
    return " ".join(printable(name).strip() for name in names if isinstance(name, str))[:64]


def _language(sender: Any) -> str | None:
    code = sender.get("language_code") if isinstance(sender, dict) else None
    return code[:35] if isinstance(code, str) and code.isascii() and code else None


def _moment(seconds: Any, now: dt.datetime) -> dt.datetime:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds < 2**33:
        return now
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
