"""What people typed to a patient may help others: the question that led to it, and their answer as raw material.

Kept only by a tap, and only of a patient who agreed that questions are kept.
"""

import asyncio
import datetime as dt
from collections.abc import Iterable

from bot.core.values import Button, Learned, Line
from bot.staff.post import Post
from bot.store.care import Thread
from bot.store.store import Store

QUESTION_LENGTH, REPLY_LENGTH = 200, 2000
OFFERED = 3  # of one conversation, at its end
NO_CONSENT = "Not kept: this patient has not agreed that questions are kept."


def learned(lines: Iterable[tuple[int, Line]]) -> list[Learned]:
    """Each question of the patient that a person answered, oldest first. What follows a word of the bot or an answer is a
    new question; a question stays open until a person answers, whatever the bot said to it.
    """
    found: list[Learned] = []
    asked: list[str] = []
    before, answering = "", False
    for number, line in lines:
        text = " ".join(line.text.split())
        match line.who:
            case "patient" if not text.startswith("("):  # "(photo)", "(tapped: ...)"
                asked = [*asked, text] if before == "patient" else [text]
            case "staff" if answering and before == "staff":
                last = found.pop()
                found.append(
                    Learned(last.talk_id, last.question, f"{last.reply}\n{line.text}"[:REPLY_LENGTH])
                )
            case "staff" if asked:
                found.append(Learned(number, _short(asked), line.text[:REPLY_LENGTH]))
                asked, answering = [], True
            case "staff":
                answering = False
        before = before if line.who == "note" else line.who
    return found


def _short(asked: list[str]) -> str:
    """The last words before the answer, as many lines of them as one phrasing takes."""
    text = ""
    for line in reversed(asked):
        joined = f"{line} {text}".strip()
        if len(joined) > QUESTION_LENGTH:
            break
        text = joined
    return text or asked[-1][:QUESTION_LENGTH]


class Learning:
    """Offers what was answered, and keeps what somebody taps."""

    def __init__(self, store: Store, post: Post) -> None:
        self._store, self._post = store, post

    def of(self, thread: Thread) -> list[Learned]:
        """What could be kept of a conversation; nothing without the patient's consent. Asks the store."""
        return learned(self._store.numbered_lines(thread.id)) if thread.patient_id else []

    async def offer(self, thread: Thread, since: dt.datetime | None) -> None:
        """At the end of a conversation: what a person answered since `since`, each with its button in the staff chat."""
        if self._post.chat is None or thread.patient_id is None or since is None:
            return
        lines = await asyncio.to_thread(self._store.numbered_lines, thread.id)
        answered = {number for number, line in lines if line.at >= since}
        found = [item for item in learned(lines) if item.talk_id in answered][-OFFERED:]
        if not found:
            return
        shown = "\n".join(f"{i}. “{item.question}”" for i, item in enumerate(found, 1))
        text = f"You answered:\n{shown}\nIf others may ask it too, keep it for the FAQ."
        buttons = [
            Button(
                f"Keep {i}" if len(found) > 1 else "Keep for the FAQ",
                f"learn:keep:{thread.id}:{item.talk_id}",
            )
            for i, item in enumerate(found, 1)
        ]
        await self._post.to_thread(thread, text, buttons, quiet=True)

    def keep(self, thread: Thread, talk_id: int, by: str, now: dt.datetime) -> str:
        """The answer is for the person who tapped. Asks the store."""
        if thread.patient_id is None:
            return NO_CONSENT
        item = next((item for item in self.of(thread) if item.talk_id == talk_id), None)
        if item is None:
            return "That answer is not there any more."
        if not self._store.keep_answered(item, thread.language, thread.patient_id, now):
            return "It is kept already: see Unanswered."
        self._store.audit(by, "faq.kept", f"thread {thread.id}", now)
        return "Kept. It stands under Unanswered, with your answer beside it."
