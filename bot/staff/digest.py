"""The week in a dozen lines, for the staff chat. Figures only: nobody's name or words."""

import asyncio
import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

from bot.staff import checkins, rings
from bot.store.figures import Week
from bot.store.store import Store
from intents.faq import Faq

HOUR = 9  # on Monday, on the clinic's clocks
WEEK = dt.timedelta(days=7)
LISTED = 5
UNSURE_FROM = 3  # choices in a week; fewer say nothing
ASKED = ("answer", "choices", "unknown")  # outcomes of questions


class Digest:
    """Put into the staff's post once a week. The post tells it at least once and keeps it until it was told."""

    def __init__(self, store: Store, faq: Callable[[], Faq]) -> None:
        self._store, self._faq = store, faq
        self._done: str | None = None
        self._pruned: dt.date | None = None

    async def tick(self, now: dt.datetime) -> None:
        local = now.astimezone(ZoneInfo(self._faq().clinic.timezone))
        if self._pruned != local.date():
            self._pruned = local.date()
            await asyncio.to_thread(self._store.prune_care, now)
            await asyncio.to_thread(self._store.prune_appointments, now)
        key = f"digest:{local:%G-W%V}"
        if local.weekday() != 0 or local.hour < HOUR or self._done == key:
            return
        text = await self.text(now)
        # By its key it is kept once, however many processes tick. If we die before this, the next tick does it.
        await asyncio.to_thread(self._store.notice, key, text, now)
        self._done = key

    async def text(self, now: dt.datetime) -> str:
        """The digest of the seven days before `now`."""
        week = await asyncio.to_thread(self._store.week, now - WEEK, now, checkins.asking(self._faq()))
        waiting = len(await asyncio.to_thread(self._store.questions))
        open_alerts, _ = await asyncio.to_thread(self._store.open_count)
        forgotten = len(await asyncio.to_thread(self._store.open_alerts, now - rings.FORGOTTEN_AFTER))
        visits = len(await asyncio.to_thread(self._store.open_appointments))
        return digest(week, waiting, open_alerts, visits, self._faq(), forgotten)


def digest(week: Week, unanswered: int, open_alerts: int, visits: int, faq: Faq, forgotten: int = 0) -> str:
    """Plain text for a chat."""
    asked = {name: week.outcomes.get(name, 0) for name in ASKED}
    total = sum(asked.values())
    lines = ["📊 The last seven days"]
    lines.append(
        f"{_some(total, 'question')}: {_share(asked['answer'], total)} answered, {_share(asked['choices'], total)} offered "
        f"choices, {_share(asked['unknown'], total)} without an answer. {_some(week.reminders_sent, 'reminder')} sent."
    )
    asked_how, answered = week.check_ins
    if asked_how:
        lines.append(f"{_some(asked_how, 'check-in')} asked, {_share(answered, asked_how)} answered.")
    read = (
        f", read after {week.alert_minutes:.0f} minutes on average" if week.alert_minutes is not None else ""
    )
    long = f", {forgotten} of them for more than a day" if forgotten else ""
    lines.append(
        f"{_some(week.alerts, 'alert')}{read}; {open_alerts} still open{long}. "
        f"{_some(visits, 'visit request')} {'waits' if visits == 1 else 'wait'} for you."
    )
    asked_most = [item for item in week.entries if item.answers][:LISTED]
    if asked_most:
        top = ", ".join(f"{_label(item.entry, faq)} ({item.answers})" for item in asked_most)
        lines.append(f"Asked most: {top}.")
    poor = [item for item in week.entries if item.not_helpful > item.helpful]
    if poor:
        worst = sorted(poor, key=lambda item: -item.not_helpful)[:LISTED]
        named = ", ".join(
            f"{_label(i.entry, faq)} ({i.not_helpful} of {i.helpful + i.not_helpful})" for i in worst
        )
        lines.append(f"Not helpful to most who said so: {named}. Please look at these answers.")
    unsure = [item for item in week.entries if item.choices >= UNSURE_FROM and item.share_of_choices > 0.5]
    if unsure:
        worst = sorted(unsure, key=lambda item: -item.choices)[:LISTED]
        named = ", ".join(
            f"{_label(i.entry, faq)} ({_share(i.choices, i.choices + i.answers)})" for i in worst
        )
        lines.append(f"Offered as a choice rather than answered: {named}. More phrasings would help.")
    if unanswered:
        lines.append(
            f"{_some(unanswered, 'question')} without a sure answer: the staff page has them under Unanswered, "
            "and /questions shows the commonest here."
        )
    return "\n".join(lines)


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _share(part: int, total: int) -> str:
    return f"{100 * part / total:.0f} %" if total else "0 %"


def _label(entry_id: str, faq: Faq) -> str:
    entry = faq.entries.get(entry_id)
    return faq.say(entry.label, "en") if entry else entry_id
