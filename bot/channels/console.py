"""The terminal as a channel: the same conversation, typed and read by one person at the keyboard."""

import datetime as dt
import uuid
from collections.abc import Callable

from rich.console import Console
from rich.panel import Panel

from bot.channels.port import Receive
from bot.core.values import Address, Incoming, Message


class ConsoleChannel:
    """Prints messages; buttons are numbered, and typing the number or the label presses one."""

    name = "console"
    platform = ""  # nobody carries the words but us
    retry_keys = False

    def __init__(self, clock: Callable[[], dt.datetime], console: Console | None = None) -> None:
        self._clock = clock
        self._console = console or Console(highlight=False)
        self._receive: Receive | None = None
        self.address = Address(self.name, "local")

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
        repeated: bool = False,
    ) -> None:
        self._console.print(
            Panel(message.words, border_style="magenta", expand=False, width=min(88, self._console.width)),
            markup=False,
        )
        for number, button in enumerate(message.buttons, 1):
            self._console.print(f"   {number}  {button.label}", style="bold cyan", markup=False)

    async def typing(self, address: Address) -> None:
        """A terminal shows nothing while it waits."""

    async def start(self, receive: Receive) -> None:
        self._receive = receive

    async def stop(self) -> None:
        self._receive = None

    async def say(self, text: str, kind: str = "text") -> None:
        """One line typed by the person."""
        if self._receive is None:
            raise RuntimeError("the console channel is not started")
        action = text.strip()[1:] if text.strip().startswith("/") else ""
        event = Incoming(
            self.address,
            uuid.uuid4().hex,
            self._clock(),
            "joined" if kind == "joined" else "action" if action else "text",
            "" if action else text,
            action,
        )
        await self._receive(event)
