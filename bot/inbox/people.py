"""What the inbox asks of the people who take over: staff, and those who decide on visits."""

import datetime as dt
from typing import Protocol

from bot.core.effects import OpenAlert
from bot.core.values import Address, Incoming, Line, Patient, Situation


class Visits(Protocol):
    """Requests for a visit, on their way to the people who decide."""

    async def ask(self, patient: Patient, now: dt.datetime) -> None:
        """The patient's next words are their wishes."""

    async def stop_asking(self, patient: Patient) -> None:
        """They are not."""

    async def request(self, patient: Patient, wishes: str, now: dt.datetime) -> int:
        """Keep a request; its number."""

    async def show(self, number: int, patient: Patient, now: dt.datetime) -> bool:
        """Show it in the staff chat; False when it did not arrive there."""


class Staff(Protocol):
    """The people who take over."""

    @property
    def reachable(self) -> bool:
        """Whether alerts have anywhere to go."""

    def situation(self, address: Address) -> Situation:
        """Whether a person is talking with this patient now, and the like. Called in a worker thread."""

    def is_staff(self, address: Address) -> bool:
        """Whether the clinic's people themselves write there."""

    async def heard(self, event: Incoming) -> str:
        """What staff wrote in their own chat; returns what it came to. Never raises."""

    async def alert(
        self, patient: Patient, alert: OpenAlert, talk: tuple[Line, ...], now: dt.datetime
    ) -> bool:
        """Tell the staff; `talk` is the conversation's end. True when a person can see it."""

    async def overheard(
        self, patient: Patient, event: Incoming, lines: tuple[Line, ...], taken: bool, now: dt.datetime
    ) -> None:
        """What is said while an alert is open, or to the person who has `taken` over. Notes among `lines` are for staff only."""

    async def leaving(self, address: Address, now: dt.datetime) -> None:
        """All that is kept of this chat is about to be deleted: told before, since afterwards its place is unknown."""

    async def unsaid(
        self, patient: Patient, texts: tuple[str, ...], answered: bool, now: dt.datetime
    ) -> None:
        """Keep what the patient could not be told of an alert until they write; staff hear of it. `answered`: they were told
        what to do, and not that staff were called.
        """

    async def unsaid_told(self, address: Address, now: dt.datetime) -> None:
        """They have been told."""

    async def shown(self, patient: Patient, events: tuple[Incoming, ...]) -> None:
        """Pictures that the patient sent before somebody was called."""

    @property
    def visits(self) -> Visits:
        """Requests for a visit."""
