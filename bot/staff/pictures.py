"""Pictures between a patient and the people of the clinic, over whichever messengers the two use.

Where a platform fetches pictures from us, a staff member's picture stands for a week at an address that nobody guesses and
that carries our signature. A patient's picture never has a public address: staff see it in their chat and on their page.
On a chat page of our own both are opened by the session of their patient and by nothing else.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from functools import partial

from bot import logs
from bot.channels import pictures as forms
from bot.channels.persist import persist
from bot.channels.pictures import NoPictureError
from bot.channels.port import CarriesPictures, Channel, HasPictures, OwnPage, SendFailed, ShowsPictures
from bot.core.values import Address, Incoming
from bot.staff.room import StaffRoom
from bot.store.care import Thread
from bot.store.pictures import PICTURES_KEPT, new_name
from bot.store.store import Store

log = logs.get("staff")
FETCH_SECONDS = 15.0  # a patient's next words wait so long at most
DECODED_AT_ONCE = 2  # pictures that strangers hand in; each may take 200 MB for a moment
IN_WORDS = "Describe it in words."
_MAC_LENGTH = 32
SIZES: dict[str, Callable[[bytes], bytes]] = {"full": bytes, "small": forms.small}


class PictureLost(Exception):
    """A picture did not get through; the message says why, to staff."""


class Links:
    """Addresses of pictures under `public_url`, which must be reached from outside by https."""

    def __init__(self, key: bytes, public_url: str) -> None:
        self._key = hmac.new(key, b"smileline pictures 1", hashlib.sha256).digest()
        self._base = public_url.rstrip("/")

    def link(self, name: str, size: str, until: dt.datetime) -> str:
        ends = f"{int(until.timestamp())}"
        return f"{self._base}/pictures/{name}/{ends}/{self._mac(name, ends, size)}/{size}.jpg"

    def opens(self, name: str, ends: str, mac: str, size: str, now: dt.datetime) -> bool:
        """Whether we made this address, and it is not too old."""
        ours = hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(name, ends, size).encode())
        return ours and ends.isascii() and ends.isdigit() and now.timestamp() < int(ends)

    def _mac(self, name: str, ends: str, size: str) -> str:
        signed = f"{name}\x1f{ends}\x1f{size}".encode("utf-8", "replace")
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()[:_MAC_LENGTH]


class Pictures:
    """Fetches, keeps and shows. `links` None: no platform can fetch from us."""

    def __init__(
        self,
        store: Store,
        room: StaffRoom | None,
        channels: dict[str, Channel],
        clock: Callable[[], dt.datetime],
        links: Links | None = None,
    ) -> None:
        self._store, self._room, self._channels, self._clock, self._links = (
            store,
            room,
            channels,
            clock,
            links,
        )
        self._at_once = asyncio.Semaphore(DECODED_AT_ONCE)

    async def from_patient(self, thread: Thread, event: Incoming) -> bytes:
        """The picture of `event` as a JPEG, kept for the staff page. Raises PictureLost."""
        channel, now = self._channels.get(event.address.channel), self._clock()
        if not event.file or not isinstance(channel, HasPictures):
            raise PictureLost("this messenger does not hand it out")
        name = event.file if isinstance(channel, OwnPage) else None
        kept = await asyncio.to_thread(self._store.picture_named, name, "patient", now) if name else None
        jpeg = kept or await self._fetched(partial(channel.picture, event.file))
        # If we die before this, the event is handled again.
        await asyncio.to_thread(self._store.keep_picture, thread.id, "patient", jpeg, now, name)
        return jpeg

    async def taken_in(self, address: Address, data: bytes) -> tuple[str, bytes]:
        """What a patient hands in on a page of ours: its name, and the picture as a JPEG. Raises NoPictureError.

        It is kept only while people are concerned with this patient, and then before the page hears that it arrived.
        """
        async with self._at_once:
            jpeg = await asyncio.to_thread(forms.normal, data)
        name = new_name()
        await asyncio.to_thread(self._keep_if_concerned, address, name, jpeg)
        return name, jpeg

    def _keep_if_concerned(self, address: Address, name: str, jpeg: bytes) -> None:
        now = self._clock()
        situation, thread = self._store.situation(address, now), self._store.thread_at(address)
        if thread and (situation.taken_over or situation.alert_open):
            self._store.keep_picture(thread.id, "patient", jpeg, now, name)

    async def to_patient(self, thread: Thread, event: Incoming) -> None:
        """The staff chat's picture of `event` on its way to a patient of another messenger. Raises PictureLost and SendFailed."""
        channel = self._shower(thread.address.channel)
        if self._room is None or event.file is None:
            raise PictureLost(f"only pictures can be passed on to {channel.name}. {IN_WORDS}")
        jpeg = await self._fetched(partial(self._room.picture, event.file))
        await self._show(channel, thread, jpeg, event.text)

    async def from_page(self, thread: Thread, data: bytes, caption: str) -> None:
        """The same for a file that staff chose on their page."""
        channel = self._shower(thread.address.channel)
        try:
            jpeg = await asyncio.to_thread(forms.normal, data)
        except NoPictureError as err:
            raise PictureLost(f"the picture could not be read: {err}") from err
        await self._show(channel, thread, jpeg, caption)

    def _shower(self, name: str) -> Channel:
        """The channel `name`, if it can show pictures as we are set up. Raises PictureLost."""
        channel = self._channels.get(name)
        if isinstance(channel, OwnPage | CarriesPictures):
            return channel
        if not isinstance(channel, ShowsPictures):
            raise PictureLost(f"pictures cannot be sent to {name}. {IN_WORDS}")
        if self._links is None:
            raise PictureLost(
                f"pictures reach {name} only when SMILELINE_PUBLIC_URL is set to this server's https address. {IN_WORDS}"
            )
        return channel

    async def _show(self, channel: Channel, thread: Thread, jpeg: bytes, caption: str) -> None:
        """If we die between keeping and sending, staff see it on their page, and the chat's event is handled again."""
        now = self._clock()
        kept = await asyncio.to_thread(self._store.keep_picture, thread.id, "staff", jpeg, now)
        if isinstance(channel, CarriesPictures):
            await persist(partial(channel.carry_picture, thread.address, jpeg, caption))
        elif isinstance(channel, ShowsPictures):
            url, small = (self._address(channel, kept, size, now + PICTURES_KEPT) for size in SIZES)
            await persist(partial(channel.send_picture, thread.address, url, small, caption))

    def _address(self, channel: object, name: str, size: str, until: dt.datetime) -> str:
        if isinstance(channel, OwnPage):
            return channel.picture_address(name, size)
        assert self._links
        return self._links.link(name, size, until)

    async def served(self, name: str, ends: str, mac: str, size: str) -> bytes | None:
        """What stands at one of our addresses; None where nothing does."""
        now = self._clock()
        if size not in SIZES or self._links is None or not self._links.opens(name, ends, mac, size, now):
            return None
        jpeg = await asyncio.to_thread(self._store.picture_named, name, "staff", now)
        return None if jpeg is None else await asyncio.to_thread(SIZES[size], jpeg)

    async def seen_by(self, address: Address, name: str, size: str) -> bytes | None:
        """The picture `name` for the patient at `address`, in whose conversation it was shown; None for anybody else."""
        channel = self._channels.get(address.channel)
        if size not in SIZES or not isinstance(channel, OwnPage):
            return None
        jpeg = channel.unkept(address.chat, name)
        if jpeg is None:
            jpeg = await asyncio.to_thread(self._store.picture_at, address, name, self._clock())
        return None if jpeg is None else await asyncio.to_thread(SIZES[size], jpeg)

    async def _fetched(self, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """Looked at twice: what a network loses once it mostly gives the second time."""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                try:
                    data = await fetch()
                except SendFailed as err:
                    log.info("picture_fetched_again", reason=err.reason)
                    data = await fetch()
                return await asyncio.to_thread(forms.normal, data)
        except (SendFailed, TimeoutError) as err:
            reason = err.reason if isinstance(err, SendFailed) else "timeout"
            raise PictureLost(f"the picture could not be fetched ({reason})") from err
        except NoPictureError as err:
            raise PictureLost(f"the picture could not be read: {err}") from err
