"""A Message as LINE's message objects (JSON). Pure.

Words stay plain text, so that a phone number can be tapped and a sentence copied. Buttons that are answered at once are quick
replies, which go away with the next message; topics to read are a Flex card, which stays.
"""

from typing import Any

from bot.channels.line.events import DATE_DATA
from bot.channels.splitting import shorten, split
from bot.core.values import Button, DatePicker, Message

TEXT_UNITS = 5000
MESSAGES_A_CALL = 5
QUICK_REPLIES = 13
_LABEL, _ALT_TEXT, _CARD_LABEL = 20, 400, 40
_ACTION_BYTES = 300
_CARD_UNITS = 2000  # of a card's lines; a longer text is none for a card
Json = dict[str, Any]


def render(message: Message) -> list[Json]:
    """The message objects, in order; more than five go in several calls. Empty when there are no words."""
    buttons = [button for button in message.buttons if button.action and len(button.action) <= _ACTION_BYTES]
    if message.heading and message.text.strip():
        return [_headed(message, buttons)]
    objects: list[Json] = [{"type": "text", "text": part} for part in split(message.words, TEXT_UNITS)]
    if not objects or not (buttons or message.picker):
        return objects
    pickers = [message.picker] if message.picker else []
    if (
        any(button.action.startswith("entry:") for button in buttons)
        or len(buttons) + len(pickers) > QUICK_REPLIES
    ):
        objects.append(_card(buttons))
        buttons = []
    if buttons or pickers:
        items = [_quick(_postback(button)) for button in buttons] + [
            _quick(_date(picker)) for picker in pickers
        ]
        objects[-1]["quickReply"] = {"items": items}
    return objects


def picture(url: str, small_url: str, caption: str) -> list[Json]:
    """A picture, and below it words."""
    image: Json = {"type": "image", "originalContentUrl": url, "previewImageUrl": small_url}
    words: list[Json] = [{"type": "text", "text": part} for part in split(caption, TEXT_UNITS)]
    return [image, *words][:MESSAGES_A_CALL]


def _quick(action: Json) -> Json:
    return {"type": "action", "action": action}


def _postback(button: Button, label_units: int = _LABEL) -> Json:
    """`displayText` shows the choice in the chat as if it had been typed."""
    label = shorten(button.label, label_units) or "·"
    return {"type": "postback", "label": label, "data": button.action, "displayText": label}


def _date(picker: DatePicker) -> Json:
    initial = min(max(picker.initial, picker.first), picker.last)
    return {
        "type": "datetimepicker",
        "label": shorten(picker.label, _LABEL) or "·",
        "data": DATE_DATA,
        "mode": "date",
        "initial": f"{initial}",
        "min": f"{picker.first}",
        "max": f"{picker.last}",
    }


def _headed(message: Message, buttons: list[Button]) -> Json:
    """A card that stays: its heading, its lines, and what can be done below them."""
    heading: Json = {"type": "text", "text": message.heading, "weight": "bold", "size": "xl", "wrap": True}
    lines = [
        {"type": "text", "text": line, "wrap": True, "size": "sm", "margin": "md"}
        for line in split(message.text, _CARD_UNITS)[0].splitlines()
        if line.strip()
    ]
    rows = [_row(button) for button in buttons]
    bubble: Json = {
        "type": "bubble",
        "body": {"type": "box", "layout": "vertical", "contents": [heading, *lines]},
    }
    if rows:
        bubble["footer"] = {"type": "box", "layout": "vertical", "spacing": "sm", "contents": rows}
    return {"type": "flex", "altText": shorten(message.words, _ALT_TEXT) or "·", "contents": bubble}


def _row(button: Button) -> Json:
    return {
        "type": "button",
        "style": "secondary" if button.action.startswith("entry:") else "link",
        "height": "sm",
        "adjustMode": "shrink-to-fit",
        "action": _postback(button, _CARD_LABEL),
    }


def _card(buttons: list[Button]) -> Json:
    """The choices as a card; the first topics stand out, the ways out of it do not."""
    rows = [_row(button) for button in buttons]
    body = {"type": "box", "layout": "vertical", "spacing": "sm", "contents": rows}
    alt_text = shorten(" / ".join(button.label for button in buttons), _ALT_TEXT) or "·"
    return {"type": "flex", "altText": alt_text, "contents": {"type": "bubble", "size": "kilo", "body": body}}
