"""What LINE's webhook delivers, as plain values. Pure: the body's JSON (tests/specs/line/webhook.yml) goes in.

Read by hand rather than by the library's parser, which ends in errors of six kinds on bodies that are signed but odd.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from bot.channels.splitting import printable
from bot.core.values import Address, Incoming, Kind

FRESH_SECONDS = 50  # LINE promises a minute for a reply; ten seconds are for the way
YOUNG_SECONDS = 20  # of a token that is still fresh when a process that is killed now has been started again
DATE_DATA = "date"  # what our date picker's postback carries; the chosen day comes beside it
_KINDS: dict[str, Kind] = {"text": "text", "image": "photo", "audio": "voice", "sticker": "sticker"}
_START = re.compile(r"\s*start\s+([A-Za-z0-9_-]{16,64})\s*", re.IGNORECASE)  # typed by our enrolment links
_ACTION = re.compile(r"[a-z_]{1,20}(:[\x21-\x7e]{0,46})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_USER = re.compile(r"[\x21-\x7e]{1,64}")
_FILE = re.compile(r"\d{1,40}")
_ID = re.compile(r"[\x21-\x7e]{1,64}")


class OddEventError(Exception):
    """An event in a shape that webhook.yml does not describe. The message holds nothing of its content."""


@dataclass(frozen=True, slots=True)
class GroupJoined:
    """The account was put into a group or a room of several people."""

    reply_token: str


Parsed = Incoming | GroupJoined | None


def read_events(body: Any, now: dt.datetime) -> tuple[list[Incoming | GroupJoined], int]:
    """The body's events in order, and how many were odd. Raises OddEventError for a body without a list of events."""
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list):
        raise OddEventError("no events")
    read: list[Incoming | GroupJoined] = []
    odd = 0
    for event in events:
        try:
            parsed = _event(event, now)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            odd += 1
            continue
        if parsed:
            read.append(parsed)
    return read, odd


def fresh_token(handle: str | None, now: dt.datetime, seconds: float = FRESH_SECONDS) -> str | None:
    """The reply token in an event's handle, for so long after the event: while LINE still takes it."""
    at, _, token = (handle or "").partition(":")
    if not token or not at.isdigit():
        return None
    age = now.timestamp() - int(at) / 1000
    return token if age < seconds else None


def _event(event: Any, now: dt.datetime) -> Parsed:
    kind, source, token = event["type"], event.get("source") or {}, event.get("replyToken")
    if event.get("mode") == "standby" or _is_dummy(
        token
    ):  # another module answers; the console's "verify" button
        return None
    if source.get("type") in ("group", "room"):
        return GroupJoined(token) if kind == "join" and isinstance(token, str) else None
    reader = _READERS.get(kind)
    if reader is None:  # unsend, and whatever LINE invents: nobody waits for an answer to it
        return None
    found = reader(event)
    if found is None:
        return None
    user, event_id, at = source["userId"], event["webhookEventId"], event.get("timestamp")
    if not _USER.fullmatch(user) or not _ID.fullmatch(event_id):
        raise ValueError("ids")
    moment = _moment(at, now)
    handle = (
        f"{int(moment.timestamp() * 1000)}:{token}"
        if isinstance(token, str) and _ID.fullmatch(token)
        else None
    )
    what, text, action = found
    file = _picture(event) if what == "photo" else None
    return Incoming(Address("line", user), event_id, moment, what, text, action, None, handle, file)


def _message(event: Any) -> tuple[Kind, str, str]:
    message = event["message"]
    kind = _KINDS.get(message["type"], "other")
    if kind != "text":
        return kind, "", ""
    text = message["text"]
    if not isinstance(text, str):
        raise TypeError("text")
    if found := _START.fullmatch(text):
        return "joined", "", f"start:{found[1]}"
    return "text", printable(text), ""


def _picture(event: Any) -> str | None:
    """What the picture is fetched by; None for one that LINE does not hold (sent by another program for the person)."""
    message = event["message"]
    found = message.get("id")
    ours = (message.get("contentProvider") or {}).get("type") == "line"
    return found if ours and isinstance(found, str) and _FILE.fullmatch(found) else None


def _postback(event: Any) -> tuple[Kind, str, str] | None:
    data, params = event["postback"]["data"], event["postback"].get("params") or {}
    if data == DATE_DATA:
        day = params["date"]
        if not _DAY.fullmatch(day):
            raise ValueError("date")
        return "action", "", f"date:{day}"
    return ("action", "", data) if _ACTION.fullmatch(data) and len(data) <= 48 else None


def _joined(event: Any) -> tuple[Kind, str, str]:
    return "joined", "", ""


def _left(event: Any) -> tuple[Kind, str, str]:
    return "left", "", ""


_READERS = {"message": _message, "postback": _postback, "follow": _joined, "unfollow": _left}


def _is_dummy(token: Any) -> bool:
    return isinstance(token, str) and len(token) == 32 and set(token.lower()) in ({"0"}, {"f"})


def _moment(milliseconds: Any, now: dt.datetime) -> dt.datetime:
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool) or not 0 < milliseconds < 2**43:
        return now
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
