"""What a button carries: `verb` or `verb:argument`, ASCII, at most 48 bytes so that a channel may sign it; and a reply with buttons."""

from bot.core.effects import Decision, Effect
from bot.core.values import Button, DatePicker, Message
from bot.core.wording import Wording

OFFERED = "person:yes"  # where the reply itself asks whether a person shall be told


def say(
    text: str,
    *buttons: Button,
    outcome: str,
    effects: tuple[Effect, ...] = (),
    picker: DatePicker | None = None,
) -> Decision:
    return Decision((Message(text, buttons, picker),), effects, outcome)


def button(words: Wording, key: str, action: str) -> Button:
    return Button(words(key), action)


def consent_asked(buttons: tuple[Button, ...]) -> Button | None:
    """The button that agrees, where a reply asks whether data may be kept."""
    return buttons[0] if buttons and split(buttons[0].action)[0] == "consent" else None


def split(action: str) -> tuple[str, str]:
    """`date:2026-11-20` -> (`date`, `2026-11-20`)."""
    verb, _, argument = action.partition(":")
    return verb, argument


# Verbs without an argument that a patient can also reach by command or menu, and the service word each stands for.
MENU = {
    "start": "start", "help": "help", "date": "set_date", "reminders": "my_reminders", "person": "person",
    "privacy": "privacy", "data": "my_data", "language": "change_language", "pause": "pause", "resume": "resume",
    "stop": "stop", "delete": "delete_data", "source": "source", "book": "book",
    "pair": "pair", "recovery": "recovery",
}  # fmt: skip
