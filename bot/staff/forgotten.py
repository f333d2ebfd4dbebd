"""Alerts that nobody has closed for a day: while one is open the patient's routine reminders wait, so it is named to staff
once a day until somebody closes it.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

from bot.staff import cards, rings
from bot.store.store import Alert, Store
from intents.faq import Faq

HOUR = 9  # on the clinic's clocks: not in the night, since it is no call


class Forgotten:
    """Puts a line for each into the staff's post, which tells it at least once and keeps it until it was told."""

    def __init__(self, store: Store, faq: Callable[[], Faq]) -> None:
        self._store, self._faq = store, faq
        self._named = frozenset[str]()

    async def tick(self, now: dt.datetime) -> None:
        faq = self._faq()
        local = now.astimezone(ZoneInfo(faq.clinic.timezone))
        if local.hour < HOUR:
            return
        before = now - rings.FORGOTTEN_AFTER
        alerts = {
            f"alert:{alert.id}:{local.date()}": alert
            for alert in await asyncio.to_thread(self._store.open_alerts, before)
        }
        for key in alerts.keys() - self._named:
            # By its key it is kept once, however many processes tick. If we die before this, the next tick does it.
            await asyncio.to_thread(self._store.notice, key, line(alerts[key], faq), now)
        self._named = frozenset(alerts)


def line(alert: Alert, faq: Faq) -> str:
    """For the staff chat: a number, never a name or words."""
    since = alert.opened_at.astimezone(ZoneInfo(faq.clinic.timezone))
    who = f", patient {alert.patient_id}" if alert.patient_id else ""
    waits = "; until it is closed, the patient's routine reminders wait" if alert.patient_id else ""
    return (
        f"Alert #{alert.id} ({cards.what(alert, faq)}{who}) has been open since {since:%d %b, %H:%M}{waits}. "
        "Please close it when it is dealt with."
    )
