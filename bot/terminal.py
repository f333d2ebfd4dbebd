"""`smileline chat`: the conversation in the terminal, on the same inbox and store as everywhere else."""

import asyncio
import contextlib
import sys

from bot.channels.console import ConsoleChannel
from bot.channels.port import Channel, utc_now
from bot.config import Settings
from bot.inbox import Inbox
from bot.staff.desk import StaffDesk
from bot.store.crypto import load_key
from bot.store.store import Store
from intents.understand import Understander


async def talk(config: Settings, understander: Understander) -> None:
    """Read lines until the input ends."""
    key = load_key(config.data_key.get_secret_value() if config.data_key else None, config.data_dir)
    store = Store.open(config.database_url.get_secret_value(), key)
    store.upgrade()
    console = ConsoleChannel(utc_now)
    channels: dict[str, Channel] = {console.name: console}
    staff = StaffDesk(store, None, channels, lambda: understander.faq, utc_now)
    inbox = Inbox(store, lambda: understander, channels, staff, utc_now)
    await console.start(inbox.receive)
    await console.say("", "joined")
    await inbox.drain()
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while line := await asyncio.to_thread(_read_line):
            await console.say(line)
            await inbox.drain()
    await console.stop()
    store.close()


def _read_line() -> str:
    try:
        return input("you> " if sys.stdin.isatty() else "").strip()
    except UnicodeDecodeError:
        return "?"
