"""Takes one claimed reminder to its patient: put into words, wait for the slot, mark, send, record."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from bot import logs
from bot.channels.port import Channel, SendFailed
from bot.core import journey
from bot.core.delivery import Due, End, Send, Wait, after_failure
from bot.core.pacing import PROBING, backoff_seconds
from bot.core.values import Address, Message
from bot.core.wording import Wording
from bot.outbox.recorder import Recorder
from bot.store.deliveries import Change, Claimed, Refusal, Result, Start
from bot.store.store import Store, StoreError
from intents.faq import Faq

log = logs.get(__name__)

LONGEST_BLOCK_SECONDS = 3600.0
LATER = timedelta(minutes=10)  # when to look again at what cannot leave for a reason of our own
FRESH = timedelta(seconds=1)  # a claim that marks the start vouches for so long that the reminder makes sense
REMEMBERED = 1000  # wordings of pushes
_SENT = End("sent")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed reminder in words, with where it goes; `recorded` is called once, when nothing of it is left to do."""

    item: Claimed
    address: Address
    message: Message
    recorded: Callable[[object], None]


class Courier:
    """Delivers; knows how each channel has fared lately."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        channels: Mapping[str, Channel],
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
        send_timeout_seconds: float,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._channels = channels
        self._now = now
        self._sleep = sleep
        self._rng = rng
        self._send_timeout_seconds = send_timeout_seconds
        self._log = log.bind()  # else it is bound anew at each line
        self._fares: dict[str, _Fare] = {}
        self._composer = Composer()
        self.saving: frozenset[str] = frozenset()  # channels whose quota is down to its reserve
        self.last_sent_at: datetime | None = None

    def pack(
        self, item: Claimed, faq: Faq, now: datetime, recorded: Callable[[object], None]
    ) -> Parcel | None:
        """The reminder ready to leave; None when it does not, which is then on its way to the record."""
        due, verdict = item.due, item.verdict
        assert verdict is not None, "the outbox's claims are decided"
        if isinstance(verdict, Send):
            assert due.address is not None, "decide holds a reminder without address"
            channel = self._channels.get(due.address.channel)
            if channel is None:  # a patient of a channel that is switched off here
                verdict = Wait(now + LATER, "channel_off")
            else:
                try:
                    words = self._composer.compose(due, verdict, faq, channel.platform)
                    return Parcel(item, due.address, words, recorded)
                except Exception:  # one reminder's fault stays its own
                    log.exception("compose_broke", reminder=due.id)
                    verdict = Wait(now + LATER, "error")
        log.info("reminder_not_sent", reminder=due.id, verdict=type(verdict).__name__, reason=verdict.reason)
        self._recorder.hand(Result(due.id, due.patient_id, verdict), recorded)
        return None

    async def deliver(self, parcel: Parcel) -> None:
        """To its end or back into the queue. Raises nothing but cancellation."""
        try:
            await self._deliver(parcel)
        except Exception:  # one reminder's fault stays its own; its lease brings it back
            log.exception("delivery_broke", reminder=parcel.item.due.id)
            parcel.recorded(False)

    async def _deliver(self, parcel: Parcel) -> None:
        item, due, name = parcel.item, parcel.item.due, parcel.address.channel
        now = self._now()
        if item.slot > now:
            await self._sleep((item.slot - now).total_seconds())
            now = self._now()
        fresh = item.begun_at is not None and now - item.begun_at <= FRESH
        urgent = isinstance(item.verdict, Send) and item.verdict.step.urgent
        if not fresh and not await self._recorder.put(Start(due.id, name, urgent=urgent)):
            log.info("reminder_withdrawn", reminder=due.id)  # stopped, moved or alarmed since the claim
            parcel.recorded(False)
            return
        # If we die from here on, nobody knows whether it arrived: see bot.store.deliveries.
        change = await self._try(due, parcel.address, parcel.message, item.probe)
        self._log.info("reminder", reminder=due.id, channel=name, outcome=_word(change))
        if not self._channels[name].retry_keys:  # the next may leave when this one is no longer in doubt
            await self._recorder.put(change)
            parcel.recorded(True)
        else:  # LINE knows a repeat: many may be in doubt, and share a commit
            self._recorder.hand(change, parcel.recorded)

    async def _try(self, due: Due, address: Address, message: Message, probe: bool) -> Change:
        channel = self._channels[address.channel]
        try:
            if (until := self._blocked(address.channel)) and not probe:  # while it stood in line
                return Result(due.id, due.patient_id, Wait(until, "channel_blocked"))
            async with asyncio.timeout(self._send_timeout_seconds):  # shorter than the lease
                await channel.send(address, message, retry_key=due.retry_key)
        except SendFailed as err:
            failure = err
        except TimeoutError:
            failure = SendFailed("timeout", sent="unknown")
        except Exception:  # a channel's fault must not cost the others their reminders
            log.exception("send_broke", reminder=due.id, channel=address.channel)
            failure = SendFailed("error", sent="unknown")
        else:
            await self._fared_well(address.channel, probe)
            self.last_sent_at = self._now()
            return Result(due.id, due.patient_id, _SENT)
        return await self._failed(due, address, failure, channel.retry_keys)

    async def _failed(self, due: Due, address: Address, failure: SendFailed, retry_keys: bool) -> Change:
        if failure.permanent:
            return Refusal(due.id, due.patient_id, address, failure.reason)
        if failure.reason != "refused":  # a refused message says nothing about the channel
            await self._fared_badly(address.channel, failure)
        verdict = after_failure(
            due,
            failure.reason,
            failure.permanent,
            failure.retry_after,
            failure.sent == "unknown",
            retry_keys,
            self._now(),
            self._rng,
        )
        return Result(due.id, due.patient_id, verdict)

    async def _fared_well(self, channel: str, probe: bool) -> None:
        if self._fares.pop(channel, _Fare()).blocked_until is not None or probe:
            await self._block(channel, self._now(), "", 0)

    async def _fared_badly(self, channel: str, failure: SendFailed) -> None:
        """After several failures in a row all workers leave the channel alone for a while, then try one message."""
        fare = self._fares.setdefault(channel, _Fare())
        fare.failures += 1
        now = self._now()
        if fare.blocked_until is not None and now < fare.blocked_until:
            return  # one that was on its way when the block began
        if fare.failures >= PROBING or failure.reason == "quota":
            fare.rounds += 1
            seconds = max(failure.retry_after or 0, backoff_seconds(fare.rounds + 2, self._rng))
            fare.blocked_until = now + timedelta(seconds=min(seconds, LONGEST_BLOCK_SECONDS))
            await self._block(channel, fare.blocked_until, failure.reason, max(fare.failures, PROBING))

    def _blocked(self, channel: str) -> datetime | None:
        """Until when, if it is."""
        until = self._fares.get(channel, _FINE).blocked_until
        return until if until is not None and self._now() < until else None

    async def _block(self, channel: str, until: datetime, why: str, failures: int) -> None:
        try:
            await asyncio.to_thread(self._store.block_channel, channel, until, why[:32], failures)
        except StoreError:  # the next failure, or the next success, tries again
            log.warning("block_not_kept", channel=channel)
        log.warning("channel_blocked" if failures else "channel_works_again", channel=channel, why=why)


@dataclass(slots=True)
class _Fare:
    """How a channel has done since its last success, as this worker saw it."""

    failures: int = 0
    rounds: int = 0  # blocks so far; each is longer than the one before
    blocked_until: datetime | None = None


_FINE = _Fare()


def compose(due: Due, send: Send, faq: Faq, platform: str) -> Message:
    """The push in the patient's language, or in the clinic's first one where it no longer answers in theirs."""
    language = due.language if due.language in faq.languages else faq.languages[0]
    words = Wording(faq, language, due.traditional, platform)
    asks_for = due.procedure_date if send.asks else None
    return journey.reminder(send.step, words, due.detail, send.catch_up_day, asks_for)


class Composer:
    """`compose`, remembered: thousands of patients get the same words on the same day."""

    def __init__(self) -> None:
        self._faq: Faq | None = None
        self._made: dict[tuple[object, ...], Message] = {}

    def compose(self, due: Due, send: Send, faq: Faq, platform: str) -> Message:
        if faq is not self._faq or len(self._made) >= REMEMBERED:
            self._faq, self._made = faq, {}
        asks_for = (
            due.procedure_date if send.asks and send.step.check_in else None
        )  # its buttons carry the date
        key = (send.step.id, asks_for, send.catch_up_day, due.language, due.traditional, due.detail, platform)
        if key not in self._made:
            self._made[key] = compose(due, send, faq, platform)
        return self._made[key]


def _word(change: Change) -> str:
    if isinstance(change, Result):
        return change.verdict.state if isinstance(change.verdict, End) else f"again:{change.verdict.reason}"
    return "refused" if isinstance(change, Refusal) else "started"
