"""The way to the clinic's people: alerts go to the Telegram staff chat and are kept in the store."""

import asyncio
import datetime as dt

from bot import logs
from bot.channels.port import Channel, SendFailed
from bot.core.values import Address, Message, OpenAlert, Patient
from bot.store.store import Store

log = logs.get("staff")


class StaffDesk:
    """Tells staff of alerts. Without a staff chat nobody can be told, and the patient hears so."""

    def __init__(self, store: Store, channel: Channel | None, chat: int | None) -> None:
        self._store, self._channel, self._chat = store, channel, chat

    @property
    def reachable(self) -> bool:
        return self._channel is not None and self._chat is not None

    def taken_over(self, address: Address) -> bool:
        return False

    async def alert(self, patient: Patient, alert: OpenAlert, now: dt.datetime) -> bool:
        """Keep the alert, then show it in the staff chat. True when the chat has it."""
        opened = await asyncio.to_thread(
            self._store.open_alert,
            patient.address, patient.id, alert.kind, alert.urgency, alert.red_flag, alert.text, now,
        )  # fmt: skip
        return await self.tell(f"#{opened.id} {_headline(patient, alert)}\n\n{alert.text}")

    async def tell(self, text: str) -> bool:
        """A line to the staff chat; True when it arrived."""
        if self._channel is None or self._chat is None:
            return False
        try:
            await self._channel.send(Address(self._channel.name, str(self._chat)), Message(text))
        except SendFailed as err:
            log.error("staff_not_told", reason=err.reason)
            return False
        return True


def _headline(patient: Patient, alert: OpenAlert) -> str:
    sign = f" · {alert.red_flag}" if alert.red_flag else ""
    date = f" · procedure {patient.procedure_date}" if patient.procedure_date else ""
    return f"{alert.urgency.upper()} · {alert.kind}{sign} · {patient.address.channel}{date}"
