"""Small talk: a few words back, and the last answer again for who says something about it alone. Pure."""

from bot.core import answers, journey
from bot.core.actions import OFFERED, button, consent_asked, say
from bot.core.effects import Decision
from bot.core.values import Context
from bot.core.wording import Wording

TROUBLED = ("complaint", "worry")  # a danger may hide in what is said so


def reply(key: str, words: Wording, context: Context) -> Decision:
    """What is said to small talk of this `key` (see faq.yaml's messages)."""
    if key == "ok" and consent_asked(context.last_buttons):  # neither yes nor no: asked again
        return say(words.on_data("consent_ask"), *context.last_buttons, outcome="consent_ask")
    if key == "follow_up":
        return _again(words, context)
    text, buttons = words(key), [button(words, "btn_help", "help")]
    if key in TROUBLED:  # which offer a person
        text = f"{text}\n\n{words('urgent_signs')}"
        buttons.insert(0, button(words, "btn_person", OFFERED))
    return say(text, *buttons, outcome="smalltalk")


def _again(words: Wording, context: Context) -> Decision:
    """ "So is that a yes?", "and tomorrow?": the last answer in short, and the way to a person."""
    last, person = context.last_entry or "", button(words, "btn_person", "person")
    if flag := words.faq.red_flags.get(last):  # what to do now is said whole
        return Decision((answers.danger(flag, words),), (), "follow_up")
    entry = words.faq.entries.get(last)
    if entry is None:
        text = f"{words('follow_up_none')}\n\n{words('urgent_signs')}"
        return say(text, person, button(words, "btn_help", "help"), outcome="follow_up")
    short = answers.in_short(entry, words, journey.today(context, words))
    return say(
        words("follow_up", answer=short), answers.entry_button(words, entry), person, outcome="follow_up"
    )
