"""The composition root: builds every part from the settings, runs them together and stops them in order."""

import asyncio
import contextlib
import gc
import hashlib
import hmac
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot import logs
from bot.channels.port import Channel, SendFailed, utc_now
from bot.channels.webchat import WebChat
from bot.config import SECRETS, Settings
from bot.core.actions import MENU
from bot.core.wording import Wording
from bot.inbox import Inbox
from bot.inbox.leases import Name
from bot.links import ask_names
from bot.live import LiveFaq
from bot.outbox import Outbox
from bot.staff.desk import StaffDesk
from bot.staff.editing import Editing
from bot.staff.pictures import Links
from bot.staff.recall import Recall
from bot.staff.site import Site
from bot.store.crypto import load_key
from bot.store.store import Store, StoreError
from bot.web import WebServer
from intents.faq import Faq
from intents.model import quiet
from intents.reading import Progress
from intents.understand import Understander

if TYPE_CHECKING:  # a platform's library takes a second to import: only where its channel is set up
    from bot.channels.line import LineChannel, MenuTexts
    from bot.channels.telegram import TelegramChannel

log = logs.get("app")
COMMANDS = (
    "start",
    "help",
    "date",
    "recovery",
    "reminders",
    "person",
    "privacy",
    "data",
    "pair",
    "language",
    "pause",
    "resume",
    "stop",
    "delete",
)


def line_channel(
    settings: Settings,
    clock: Callable[[], datetime] = utc_now,
    group_refused: Callable[[str | None], str] | None = None,
) -> "LineChannel | None":
    """The LINE channel, where its settings are there."""
    if not settings.line_token or not settings.line_secret:
        return None
    from bot.channels.line import LineChannel

    return LineChannel(
        settings.line_token.get_secret_value(),
        settings.line_secret.get_secret_value(),
        settings.line_api_url,
        data_url=settings.line_data_url,
        clock=clock,
        group_refused=group_refused,
    )


def line_menus(faq: Faq) -> "dict[str, MenuTexts]":
    """The words of the menu below the LINE chat, in every language of the FAQ."""
    from bot.channels.line import MenuTexts

    keys = ("btn_help", "btn_recovery", "btn_reminders", "btn_person")
    spoken: dict[str, Wording] = {language: Wording(faq, language) for language in faq.languages}
    if "zh" in spoken:
        spoken["zh-Hant"] = Wording(faq, "zh", traditional=True)
    return {
        code: MenuTexts(words("btn_help"), [words(key) for key in keys]) for code, words in spoken.items()
    }


def spare_the_collector() -> None:
    """What a start has built stays: looking through it again would hold up an answer for 40 ms. What a message needs goes
    without being looked for; to look whenever 700 objects are new takes 8 % of an answer.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


class App:
    """All parts, wired. `serve` runs them until cancelled."""

    def __init__(
        self, settings: Settings, clock: Callable[[], datetime] = utc_now, progress: Progress = quiet
    ) -> None:
        key = load_key(settings.data_key.get_secret_value() if settings.data_key else None, settings.data_dir)
        self.settings, self.clock = settings, clock
        for name in SECRETS:
            value: SecretStr | None = getattr(settings, name)
            logs.never_show(value.get_secret_value() if value and name != "database_url" else None)
        build = partial(Understander.build, cache=settings.data_dir / "cache", progress=progress)
        self.faq = LiveFaq(settings.faq, settings.data_dir, build)
        self.store = Store.open(settings.database_url.get_secret_value(), key)
        self.store.upgrade()
        self.webchat = WebChat(clock, Recall(self.store, clock))
        self.channels: dict[str, Channel] = {self.webchat.name: self.webchat}
        telegram = self._telegram(key)
        if telegram:
            self.channels[telegram.name] = telegram
        line = line_channel(settings, clock, lambda language: self._words(language)("group_refused"))
        if line:
            self.channels[line.name] = line
        room = telegram.staff_room if telegram and settings.staff_chat is not None else None
        public = settings.public_url if (settings.public_url or "").startswith("https://") else None
        editing = Editing(self.faq, settings.faq, self.store, settings.labelled)
        self.staff = StaffDesk(
            self.store, room, self.channels, lambda: self.faq.current.faq, clock,
            editing, Links(key, public) if public else None,
        )  # fmt: skip
        self.outbox = Outbox(
            self.store,
            lambda: self.faq.current.faq,
            self.channels,
            clock,
            self._notify,
            marker=settings.data_dir / "last-seen",
        )
        self._name = Name(settings.data_dir)
        self.inbox = Inbox(
            self.store, lambda: self.faq.current, self.channels, self.staff, clock,
            rides=self.outbox.ride_along, owner=self._name.value,
        )  # fmt: skip
        self.staff_site = Site(
            self.store, self.staff, self.faq, settings.faq, key, clock,
            secure=public is not None, labelled=settings.labelled,
            names=partial(ask_names, settings, None, None),
        )  # fmt: skip
        self.web = WebServer(settings.host, settings.port, self)

    def _telegram(self, key: bytes) -> "TelegramChannel | None":
        settings = self.settings
        if not settings.telegram_token:
            return None
        from bot.channels.telegram import TelegramChannel
        from bot.channels.telegram.profile import Profile

        token = settings.telegram_token.get_secret_value()
        derived = hmac.new(key, token.encode(), hashlib.sha256).hexdigest()
        secret = settings.telegram_secret.get_secret_value() if settings.telegram_secret else derived
        return TelegramChannel(
            token,
            settings.telegram_api_url,
            mode=settings.telegram_mode,
            secret=secret,
            public_url=settings.public_url,
            profile=Profile(self.commands, lambda language: self._words(language)("greeting")),
            group_refused=lambda language: self._words(language)("group_refused"),
            languages=self.faq.current.faq.languages,
            sign_key=key,
            clock=self.clock,
            staff_chat=settings.staff_chat,
            second_chat=settings.staff_second_chat,
        )

    def _words(self, language: str | None) -> Wording:
        faq = self.faq.current.faq
        return Wording(faq, language if language in faq.languages else faq.languages[0])

    async def _notify(self, text: str) -> None:
        """A notice for staff; an error when nobody could be told, so that it is told again later."""
        if self.staff.reachable and not await self.staff.tell(text):
            raise SendFailed("staff_not_told")
        if not self.staff.reachable:
            log.warning("notice_for_staff", text=text)

    def health(self) -> dict[str, object]:
        """What a monitor wants to know; no personal data."""
        database = self.store.healthy()
        return {
            "ok": database,
            "database": database,
            "faq": self.faq.current.faq.version,
            "faq_problems": len(self.faq.problems),
            "channels": sorted(self.channels),
        }

    def commands(self, language: str) -> list[tuple[str, str]]:
        """The commands' menu in `language`: name and description."""
        words = self._words(language)
        return [(name, words(f"cmd_{name}")) for name in COMMANDS if name in MENU]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["App"]:
        """Every part started; all stopped, events drained, at the end."""
        waiting = await self.inbox.resume()  # first, or what comes in now would be taken for a leftover
        for channel in self.channels.values():
            await channel.start(self.inbox.receive)
        self.inbox.start()
        await self.outbox.start()
        await self.staff.start()
        await self.web.start()
        log.info("started", channels=sorted(self.channels), waiting=waiting, faq=self.faq.current.faq.version)
        try:
            yield self
        finally:
            for channel in self.channels.values():
                await channel.stop()
            await self.staff.stop()
            await self.outbox.stop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.inbox.drain(), 10)
            await self.inbox.stop()
            for channel in self.channels.values():  # the last replies opened connections again
                await channel.stop()
            await self.web.stop()
            self.store.close()
            self._name.close()

    async def _keep_house(self) -> None:
        """Once a day, throw away what has served its time; a failure waits for the next day."""
        while True:
            try:
                gone = await asyncio.to_thread(self.store.prune, self.clock())
                log.info("pruned", rows=gone)
            except StoreError as err:
                log.warning("prune_failed", error=type(err).__name__)
            await asyncio.sleep(24 * 3600)

    async def serve(self) -> None:
        """Run until SIGTERM or Ctrl-C."""
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        async with self.running():
            spare_the_collector()
            beside = [
                asyncio.create_task(self.faq.watch(self.staff.tell)),
                asyncio.create_task(self._keep_house()),
            ]
            await stop.wait()
            for task in beside:
                task.cancel()
