"""Edits of faq.yaml beyond an entry's words: what kind of entry it is, and what it says on which day. Text -> text, as in faqfile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bot.staff.faqfile import edited, styled
from bot.staff.saving import EditRefused

_ENTRY = (
    "id", "group", "urgency", "beyond", "threshold", "label", "questions", "answer", "by_day", "see_also", "sources",
    "reviewed",
)  # fmt: skip
_WINDOW = ("first", "last", "urgency", "text")
_USUAL = "routine"  # a window without "urgency"


@dataclass(frozen=True, slots=True)
class DayWindow:
    """What holds from day `first` to day `last` (None: for good), digits both. `texts`: by language, those that are to be written.

    `origin`: its number (from 0) among the windows in the file, None for a new one.
    """

    first: str
    last: str | None
    urgency: str
    texts: Mapping[str, str]
    origin: int | None = None


def set_field(text: str, entry_id: str, field: str, value: str | list[str]) -> str:
    """`text` with one field of an entry replaced; an empty value takes it out. Raises as faqfile.add_question."""

    def change(entry: Any, plain: bool) -> None:
        _put(entry, field, value, _ENTRY, plain)

    return edited(text, entry_id, change)


def set_windows(text: str, entry_id: str, windows: Sequence[DayWindow]) -> str:
    """`text` with the day windows of an entry replaced. Those with an `origin` stand in its order; the file's others are taken out.

    Raises as faqfile.add_question.
    """
    kept = [window.origin for window in windows if window.origin is not None]

    def change(entry: Any, plain: bool) -> None:
        listed = entry["by_day"] if "by_day" in entry else [] if plain else CommentedSeq()
        if any(number >= len(listed) for number in kept):
            raise EditRefused(f"the day windows of {entry_id} were changed by somebody else; reload the page")
        for number in reversed(range(len(listed))):
            if number not in kept:
                del listed[number]
        for place, window in enumerate(windows):
            if window.origin is None:
                listed.insert(place, _made(window, plain))
            else:
                _mend(listed[place], window, plain)
        if "by_day" not in entry or not listed:
            _put(entry, "by_day", listed, _ENTRY, plain)

    return edited(text, entry_id, change)


def _made(window: DayWindow, plain: bool) -> Any:
    new: Any = {} if plain else CommentedMap()
    new["text"] = {} if plain else CommentedMap()
    _mend(new, window, plain)
    return new


def _mend(place: Any, window: DayWindow, plain: bool) -> None:
    """What is as it should be stays as it was typed."""
    _put(place, "first", window.first, _WINDOW, plain)
    _put(place, "last", window.last or "", _WINDOW, plain)
    if window.urgency != _USUAL or "urgency" in place:
        _put(place, "urgency", window.urgency, _WINDOW, plain)
    for language, words in window.texts.items():
        if place["text"].get(language) != words:
            place["text"][language] = words if plain else styled(words)


def _put(place: Any, key: str, value: Any, order: Sequence[str], plain: bool) -> None:
    """`place[key] = value`; a new key stands where `order` has it."""
    if not value:
        if key in place:
            del place[key]
    elif isinstance(value, list) and place.get(key):
        _refill(place[key], value)
    elif key in place and isinstance(value, list):  # it was empty
        place[key] = value if plain else _native(key, value)
    elif key in place:
        if str(place[key]).casefold() != value.casefold():
            place[key] = value if plain else _native(key, value)
    elif plain:
        place[key] = value
    else:
        before = order[: order.index(key)]
        place.insert(sum(known in before for known in place), key, _native(key, value))


def _refill(listed: Any, wanted: list[str]) -> None:
    """Ids that stay keep their place and comments, unless the order is another."""
    for number in reversed(range(len(listed))):
        if listed[number] not in wanted:
            del listed[number]
    listed.extend(value for value in wanted if value not in list(listed))
    for number, value in enumerate(wanted):
        if listed[number] != value:
            listed[number] = value


def _native(key: str, value: Any) -> Any:
    """As it is written without quotes; what is no number is left for the loader to refuse."""
    if key in ("first", "last"):
        return int(value)
    if key == "beyond":
        return value == "true"
    if key == "threshold" and value.replace(".", "", 1).isdecimal():
        return float(value)
    return value if key == "by_day" else styled({key: value})[key]
