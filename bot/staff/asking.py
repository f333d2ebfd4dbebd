"""Questions without an answer in the staff chat: the commonest first, each with its effect and one tap to add it."""

import asyncio
import datetime as dt
from collections.abc import Coroutine, Sequence
from typing import Any

from bot import logs
from bot.core.values import Button, Incoming
from bot.staff.editing import Editing
from bot.staff.post import Post
from bot.staff.saving import EditRefused
from bot.staff.unanswered import THIS, Group, group
from bot.store.store import Store
from intents.diff import Change, Outcome
from intents.faq import Faq, FaqProblems
from intents.languages import LANGUAGES

log = logs.get("staff")
COMMAND = "/questions"
CARDS = 5
LISTED = 4  # changes told on a card
QUESTION_LENGTH = 200
NOTHING = "Every question has found its answer."
GONE = "This question is off the list already."


class Asking:
    """Cards of unanswered questions, and what is tapped on them."""

    def __init__(self, store: Store, post: Post, editing: Editing) -> None:
        self._store, self._post, self._editing = store, post, editing
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Cards take seconds, and the staff chat is read in order: "I have read it" must not wait for them."""
        task = asyncio.create_task(self._guarded(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def settled(self) -> None:
        """When every card that was begun is posted."""
        await asyncio.gather(*self._under_way)

    def cancel(self) -> None:
        for task in self._under_way:
            task.cancel()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as err:  # the outermost step; its message may quote a patient
            log.error("questions_not_shown", error=type(err).__name__)
            await self._post.say("The questions could not be shown. Look at the staff page.")

    def _groups(self) -> list[Group]:
        return group(self._store.questions(), self._editing.understander)

    def _group(self, question_id: int) -> Group | None:
        return next((found for found in self._groups() if question_id in found.ids), None)

    async def show(self, event: Incoming) -> None:
        """The commonest questions, where somebody asked for them."""
        groups = await asyncio.to_thread(self._groups)
        for found in groups[:CARDS]:
            await self._card(found, None, event)
        rest = len(groups) - CARDS
        if rest > 0:
            await self._say(f"… and {rest} more: see Unanswered on the staff page.", event)
        elif not groups:
            await self._say(NOTHING, event)

    async def see(self, question_id: int, entry_id: str, event: Incoming) -> None:
        """What it would change under another entry (the nearest when none is named)."""
        found = await asyncio.to_thread(self._group, question_id)
        if found:
            await self._card(found, entry_id or None, event)
        else:
            await self._say(GONE, event)

    async def add(self, question_id: int, entry_id: str, event: Incoming, by: str, now: dt.datetime) -> str:
        """Write it under the entry and serve it. The answer is for the person who tapped."""
        found, faq = await asyncio.to_thread(self._group, question_id), self._editing.understander.faq
        if found is None:
            return GONE
        if entry_id not in faq.entries:
            return "That entry is gone."
        text = _wording(found)
        try:
            await asyncio.to_thread(
                self._editing.add_phrasing, by, entry_id, found.language, text, found.ids, now
            )
        except EditRefused as err:
            return f"Not added: {err}"
        except FaqProblems as err:
            return f"Not added: {err.problems[0].message}"
        await self._strip(event)
        return f"Added to “{_label(faq, entry_id)}”, and live: “{text}”"

    async def drop(self, question_id: int, event: Incoming, by: str, now: dt.datetime) -> str:
        """Off the list; no answer is wanted."""
        found = await asyncio.to_thread(self._group, question_id)
        if found is None:
            return GONE
        count = await asyncio.to_thread(self._store.drop_questions, found.ids)
        await asyncio.to_thread(self._store.audit, by, "unanswered.dismissed", f"{count} questions", now)
        await self._strip(event)
        return "Taken off the list."

    async def _card(self, found: Group, entry_id: str | None, event: Incoming) -> None:
        faq = self._editing.understander.faq
        known = [id for id in found.suggested if id in faq.entries]
        chosen = entry_id if entry_id in faq.entries else next(iter(known), None)
        effect: list[Change] = []
        if chosen:
            effect = await asyncio.to_thread(
                self._editing.phrasing_effect, chosen, found.language, _wording(found)
            )
        await self._say(card(found, chosen, effect, faq), event, buttons(found, chosen, known, faq))

    async def _say(self, text: str, event: Incoming, buttons: Sequence[Button] = ()) -> None:
        # A tap does not name its topic, but the message that it was made on stands there.
        below = int(event.reply_to) if event.reply_to and not event.thread else None
        await self._post.say(
            text, chat=event.address.chat, topic=event.thread, reply_to=below, buttons=buttons
        )

    async def _strip(self, event: Incoming) -> None:
        """What was decided carries no buttons any more."""
        if self._post.room and event.reply_to:
            await self._post.room.set_buttons(event.address.chat, int(event.reply_to), ())


# --- words


def card(found: Group, entry_id: str | None, effect: Sequence[Change], faq: Faq) -> str:
    """One group, and what its commonest wording would do as a phrasing of the entry."""
    count = f"{found.patients} patient{'' if found.patients == 1 else 's'}"
    language = LANGUAGES[found.language].name if found.language in LANGUAGES else found.language
    lines = [f"❓ {count} · {language}", f"“{_wording(found)}”"]
    if len(found.wordings) > 1:
        lines.append(f"also: {'; '.join(f'“{text}”' for text in found.wordings[1:4])}")
    lines += [f"A colleague answered: {reply}" for reply in found.replies[:1]]
    if entry_id is None:
        return "\n".join(
            [*lines, "", "No entry is near: start a new one on the staff page, under Unanswered."]
        )
    return "\n".join([*lines, "", f"As a phrasing of “{_label(faq, entry_id)}”:", *_effect(effect, faq)])


def _effect(effect: Sequence[Change], faq: Faq) -> list[str]:
    own = [change for change in effect if change.probe.origin == THIS]
    others = [change for change in effect if change.probe.origin != THIS]
    lines = [f"· it: {_said(c.before, faq)} → {_said(c.after, faq)}" for c in own]
    lines += [
        f"· {'⚠️ worse: ' if c.verdict == 'worse' else ''}“{c.probe.text}”: {_said(c.before, faq)} → {_said(c.after, faq)}"
        for c in others[:LISTED]
    ]
    if len(others) > LISTED:
        lines.append(f"· and {len(others) - LISTED} more")
    return lines if others else [*lines, "· no other question changes"]


def _said(outcome: Outcome, faq: Faq) -> str:
    named = ", ".join(_label(faq, id) for id in outcome.ids)
    return f"{outcome.kind} ({named})" if named else outcome.kind


def buttons(found: Group, entry_id: str | None, suggested: Sequence[str], faq: Faq) -> list[Button]:
    """Add it to the entry whose effect is shown; look at the other ones; off the list."""
    number = found.ids[0]
    rows = [Button(f"Add to {_label(faq, entry_id)}", f"ask:add:{number}:{entry_id}")] if entry_id else []
    rows += [Button(f"{_label(faq, id)}?", f"ask:see:{number}:{id}") for id in suggested if id != entry_id]
    return [*rows, Button("Off the list", f"ask:drop:{number}")]


def _wording(found: Group) -> str:
    return " ".join(found.text.split())[:QUESTION_LENGTH]


def _label(faq: Faq, id: str) -> str:
    named = faq.entries.get(id) or faq.red_flags.get(id)
    return faq.say(named.label, "en") if named else id
