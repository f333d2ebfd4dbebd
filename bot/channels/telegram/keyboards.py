"""The buttons under a message: how they are laid out, and what becomes of them after a tap."""

import unicodedata
from collections.abc import Sequence

from bot import logs
from bot.channels.callback import CallbackSigner
from bot.channels.splitting import shorten
from bot.channels.telegram import calendar
from bot.core.values import Button, Message

log = logs.get("telegram")
Keyboard = list[list[tuple[str, str]]]
_HALF_ROW = 15  # Latin letters that a narrow phone shows in one of two buttons side by side
_LABEL = 64
_CHOSEN = "✓ "
# Answered once: afterwards only the choice is shown. All other buttons stay, since a reader may want the next one too.
_ONCE = ("date:", "consent:", "lang:", "delete:", "detail:")


def keyboard(message: Message, chat: str, signer: CallbackSigner, language: str) -> Keyboard:
    """All buttons of `message`; short ones share a row. The date picker is a calendar below them."""
    rows = _rows([signed for button in message.buttons if (signed := _signed(button, chat, signer))])
    if message.picker:
        rows += calendar.first_page(message.picker, language, lambda action: signer.sign(action, chat))
    return rows


def _signed(button: Button, chat: str, signer: CallbackSigner) -> tuple[str, str] | None:
    """A button that cannot be sent is left out: the words above it must arrive all the same."""
    try:
        return shorten(button.label, _LABEL) or "·", signer.sign(button.action, chat)
    except ValueError as err:
        log.error("button_left_out", error=str(err))
        return None


def after_tap(old: Keyboard, data: str, action: str, chat: str, signer: CallbackSigner) -> Keyboard:
    """The keyboard once the button with `data` was pressed: the choice is marked, the rest goes if it was a decision."""
    chosen = next((label for row in old for label, carried in row if carried == data), "")
    if action.startswith(_ONCE):
        if chosen.isdigit():  # a day of the calendar: its number alone says little
            chosen = action.partition(":")[2]
        return [[(_marked(chosen), signer.sign(calendar.NOTHING, chat))]] if chosen.strip() else []
    bare = [[(label.removeprefix(_CHOSEN), carried) for label, carried in row] for row in old]
    return [
        [(_marked(label), carried) if carried == data else (label, carried) for label, carried in row]
        for row in bare
    ]


def after_turn(old: Keyboard, page: Keyboard, chat: str, signer: CallbackSigner) -> Keyboard:
    """The keyboard with the calendar turned to `page`; the buttons above the calendar stay."""
    above: Keyboard = []
    for row in old:
        if any((signer.open(data, chat) or "").startswith("cal:") for _, data in row):
            break
        above.append(row)
    return above + page


def _marked(label: str) -> str:
    return label if label.startswith(_CHOSEN) else _CHOSEN + label


def _rows(buttons: Sequence[tuple[str, str]]) -> Keyboard:
    """Two to a row where both are short."""
    rows: Keyboard = []
    room = False  # whether the last row takes a second one
    for label, data in buttons:
        short = _width(label) <= _HALF_ROW
        if room and short:
            rows[-1].append((label, data))
            room = False
        else:
            rows.append([(label, data)])
            room = short
    return rows


def _width(label: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in label)
