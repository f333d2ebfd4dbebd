"""An entry of the FAQ as the message a patient reads."""

from collections.abc import Sequence

from bot.core.actions import button
from bot.core.effects import CountFeedback, Decision
from bot.core.values import Button, Message
from bot.core.wording import Wording
from intents.faq import URGENCIES, Entry, RedFlag, Urgency
from intents.types import Match

LONGEST_ID = 41  # of an entry whose sources a button asks for: `source:` and this make an action of 48
RELATED = 3
CHOICES = 3
SHORT = 2  # lines of an answer that tell it in short
DAYS_COUNTED = 90  # of recovery; nobody counts further


def urgency_on(entry: Entry, day: int | None) -> Urgency:
    """The entry's urgency, raised by the window that holds on recovery day `day`."""
    window = entry.window(day)
    return max(entry.urgency, window.urgency if window else "routine", key=URGENCIES.index)


def answer(entry: Entry, words: Wording, day: int | None, also: Sequence[Match] = ()) -> Message:
    """What holds today first, then the answer, then where it comes from; as buttons what was asked `also`, or what is related."""
    parts = [*_told(entry, words, day), *_numbers(entry, words, day), source_line(entry, words)]
    further = [match.id for match in also][:RELATED] or entry.see_also[:RELATED]
    buttons = [entry_button(words, words.faq.entries[id]) for id in further]
    if buttons:
        parts.append(words("also_asked" if also else "related"))
    linked = any(words.faq.file.sources[id].doi or words.faq.file.sources[id].url for id in entry.sources)
    if linked and len(entry.id) <= LONGEST_ID:
        buttons.append(button(words, "btn_source", f"source:{entry.id}"))
    if urgency_on(entry, day) != "routine" or entry.group == "clinic":
        buttons.insert(0, button(words, "btn_person", "person"))
    return Message("\n\n".join(parts), tuple(buttons))


def _told(entry: Entry, words: Wording, day: int | None) -> list[str]:
    """What holds on recovery day `day`, and what is said to everybody."""
    general, window = words.text(entry.answer), entry.window(day)
    if window is None:
        return [general]
    today = words.text(window.text)
    if day and day <= DAYS_COUNTED:
        today = f"{words('day_known', day=day)} {today}"
    return [today, f"{words('in_general')}\n{general}"]


def _numbers(entry: Entry, words: Wording, day: int | None) -> list[str]:
    """Whom to call, where the answer says to call now: nobody has to look for it at night."""
    return [words("numbers")] if urgency_on(entry, day) in ("urgent", "emergency") else []


def in_short(entry: Entry, words: Wording, day: int | None) -> str:
    """What holds today and the first sentences of the answer; the whole where it says to call."""
    told = _told(entry, words, day)
    if urgency_on(entry, day) != "routine":
        return "\n".join([*told, *_numbers(entry, words, day)])
    return "\n".join([*told[:-1], *words.text(entry.answer).splitlines()[:SHORT]])


def source_line(entry: Entry, words: Wording) -> str:
    """Where the answer comes from, and when it was reviewed."""
    sources = words.faq.file.sources
    labels = [words.text(sources[id].label) for id in entry.sources]
    named = ", ".join(dict.fromkeys(labels))
    if entry.beyond or not named:
        return words("source_unreviewed", sources=named or words.text(words.faq.clinic.name))
    return words("source_line", sources=named, date=words.date(entry.reviewed.on))


def entry_button(words: Wording, entry: Entry) -> Button:
    return Button(words.text(entry.label), f"entry:{entry.id}")


def ask_helpful(message: Message, entry: Entry, words: Wording) -> Message:
    """The answer with "was this helpful?" below it; an id too long for a button is not asked about."""
    if len(entry.id) > 42:
        return message
    buttons = (
        button(words, "btn_helpful", f"good:{entry.id}"),
        button(words, "btn_not_helpful", f"bad:{entry.id}"),
    )
    headings = words("related"), words("also_asked")
    below = [heading for heading in headings if message.text.endswith(heading)]
    above = message.text.removesuffix("".join(below)).rstrip()
    text = "\n\n".join([above, words("helpful_ask"), *below])
    return Message(text, (*message.buttons, *buttons), message.picker)


def thank(helpful: bool, entry_id: str, words: Wording) -> Decision:
    """What the patient hears after saying whether an answer helped."""
    effects = (CountFeedback(entry_id, helpful),) if entry_id in words.faq.entries else ()
    if helpful:
        return Decision((Message(words("helpful_thanks")),), effects, "helpful")
    person = button(words, "btn_person", "person")
    return Decision((Message(words("helpful_sorry"), (person,)),), effects, "not_helpful")


def choices(matches: tuple[Match, ...], words: Wording, also: Sequence[Match] = ()) -> Message:
    """Not sure: up to three topics in the patient's words, the urgent signs, and the way to a person."""
    ids = list(dict.fromkeys(match.id for match in (*matches[:1], *also, *matches)))
    entries = [words.faq.entries[id] for id in ids[:CHOICES]]
    buttons = [entry_button(words, entry) for entry in entries]
    buttons += [button(words, "btn_none", "none"), button(words, "btn_person", "person")]
    return Message(f"{words('choices')}\n\n{words('urgent_signs')}", tuple(buttons))


def unknown(words: Wording) -> Message:
    """Nothing reviewed fits: said honestly, with the urgent signs and the way to a person."""
    return Message(
        f"{words('unknown')}\n\n{words('urgent_signs')}",
        (button(words, "btn_person", "person"), button(words, "btn_help", "help")),
    )


def danger(flag: RedFlag, words: Wording) -> Message:
    """What to do now. Nothing else stands in this message."""
    return Message(words.text(flag.reply), (button(words, "btn_person", "person"),))
