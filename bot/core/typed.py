"""What is typed instead of tapped: a button's label or number, a command, a yes or no, the name of a button that is gone."""

from bot.core.actions import MENU, OFFERED, split
from bot.core.values import Button
from bot.core.wording import Wording
from intents.short_answers import read_agreement

NAMED = ("reminders", "privacy", "data", "language", "pause", "resume", "stop", "delete", "book", "recovery")


def asked(text: str, buttons: tuple[Button, ...], open_question: Button | None) -> str | None:
    """The action that typed words stand for, beside the buttons last shown and a question that was left open."""
    return label(text, buttons) or _left_open(text, open_question)


def label(text: str, buttons: tuple[Button, ...]) -> str | None:
    """The action of the button whose label, or number, was typed instead of tapped; `/word` is the menu's."""
    wanted = text.strip().casefold()
    for number, offered in enumerate(buttons, 1):
        if wanted in (offered.label.casefold(), str(number)):
            return offered.action
    return command(text) or _agreed(text, buttons)


def named(text: str, words: Wording) -> str | None:
    """The menu's verb that a button of ours is called by, whether or not it was just shown: "Pause reminders"."""
    wanted = text.strip().casefold()
    return next((verb for verb in NAMED if wanted == words(f"btn_{verb}").casefold()), None)


def command(text: str) -> str | None:
    """The menu's verb that `/verb` asks for, typed where there are no commands. It is a word of no language."""
    wanted = text.strip().casefold()
    return wanted[1:] if wanted.startswith("/") and wanted[1:] in MENU else None


def _agreed(text: str, buttons: tuple[Button, ...]) -> str | None:
    """The action that a typed yes or no means, where the last reply asked whether data may be kept or a person shall be told.

    An erasure wants its own words: a yes in others asks again.
    """
    question = buttons[0].action if buttons else ""
    verb, asked = split(question)
    if question != OFFERED and verb != "consent" and (verb, asked) != ("delete", "yes"):
        return None
    meant = read_agreement(text)
    if meant:
        return "delete" if verb == "delete" else question
    return f"{verb}:no" if meant is False and question != OFFERED else None


def _left_open(text: str, question: Button | None) -> str | None:
    """What the name of the button that agrees means, typed when something else was spoken of since: on LINE it is gone by then."""
    return question.action if question and text.strip().casefold() == question.label.casefold() else None
