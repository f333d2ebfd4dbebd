"""LINE: taking events in by webhook, and sending.

What if we die right here? LINE gets its 200 only after `receive` has stored the event; before that it delivers the event
again (with redelivery switched on in the console), and the inbox drops what it has seen. A push is repeated under its key.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import re
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from bot import logs
from bot.channels.line.client import Json, LineApi, Quota
from bot.channels.line.events import (
    FRESH_SECONDS,
    YOUNG_SECONDS,
    GroupJoined,
    OddEventError,
    fresh_token,
    read_events,
)
from bot.channels.line.menu import MenuTexts, language_of, set_up_rich_menus
from bot.channels.line.messages import MESSAGES_A_CALL, picture, render
from bot.channels.persist import Sleep
from bot.channels.port import Receive, SendFailed
from bot.channels.together import together
from bot.core.values import Address, Incoming, Message

log = logs.get("line")

LANGUAGES_KEPT = 20_000  # profiles' languages remembered in memory
DOUBTS_KEPT = 1000  # of a token's minute; beyond, an answer may come twice
PUSH_TRIES = 3  # of one push under one key, when nobody else repeats it
# Letters that tell a text's language by themselves: Latin, kana, Hangul. For these the profile is not asked for.
_TELLS = re.compile("[A-Za-z\u3040-\u30ff\uac00-\ud7af]")
_HEADER = "X-Line-Signature"


class LineChannel:
    """One LINE official account. `group_refused` gives what a group is told in a language, and is left out for silence."""

    name = "line"
    platform = "LINE"
    retry_keys = True
    webhook_path = "/webhook/line"

    def __init__(
        self,
        token: str,
        secret: str,
        api_url: str,
        *,
        clock: Callable[[], dt.datetime],
        group_refused: Callable[[str | None], str] | None = None,
        data_url: str | None = None,
        seconds: float = 10.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.api = LineApi(token, api_url, data_url=data_url, seconds=seconds)
        self._secret, self._clock, self._group_refused = secret.encode(), clock, group_refused
        self._sleep = sleep
        self._receive: Receive | None = None
        self._languages: OrderedDict[str, str | None] = OrderedDict()
        self._doubted: OrderedDict[str, None] = OrderedDict()  # reply tokens whose use may have worked

    # --- the port

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
        repeated: bool = False,
    ) -> None:
        """Deliver `message`: as a free reply while the event's token is fresh, else as a push, which costs quota."""
        objects = render(message)
        if not objects:
            raise SendFailed("refused")
        calls = [objects[i : i + MESSAGES_A_CALL] for i in range(0, len(objects), MESSAGES_A_CALL)]
        token = fresh_token(reply_handle, self._clock())
        if token and await self._replied(token, calls[0], repeated):
            calls = calls[1:]
        for number, call in enumerate(calls):
            await self._push(
                address.chat, call, _key(retry_key, number), repeat=retry_key is None or number > 0
            )

    async def reply_with(
        self,
        address: Address,
        message: Message,
        rider: Message,
        *,
        reply_handle: str | None,
        retry_key: str | None,
        repeated: bool = False,
    ) -> bool:
        """See FreeReplies. The rider comes first and without its buttons: LINE shows those of the last message alone."""
        objects = render(replace(rider, buttons=())) + render(message)
        token = fresh_token(reply_handle, self._clock())
        if token and render(message) and len(objects) <= MESSAGES_A_CALL:
            if await self._replied(token, objects, repeated):
                return True
            reply_handle = None
        await self.send(address, message, reply_handle=reply_handle, retry_key=retry_key, repeated=repeated)
        return False

    def will_know(self, reply_handle: str | None, *, doubted: bool = False) -> bool:
        """See KnowsReplies: a fresh token works once, and is refused to who used it before."""
        seconds = FRESH_SECONDS if doubted else YOUNG_SECONDS
        return fresh_token(reply_handle, self._clock(), seconds) is not None

    async def typing(self, address: Address) -> None:
        with contextlib.suppress(SendFailed):
            await self.api.loading(address.chat)

    async def picture(self, file: str) -> bytes:
        return await self.api.content(file)

    async def send_picture(self, address: Address, url: str, small_url: str, caption: str = "") -> None:
        """Always a push: staff answer at any time."""
        await self._push(address.chat, picture(url, small_url, caption), _key(None, 0), repeat=True)

    async def start(self, receive: Receive) -> None:
        """Events come through `webhook`, whose address stands in LINE's console."""
        self._receive = receive

    async def stop(self) -> None:
        """Take in nothing more. A message that is sent later opens the connections again; stop once more to close them."""
        self._receive = None
        await self.api.close()

    async def quota(self) -> Quota:
        """This month's pushes. Raises SendFailed."""
        return await self.api.quota()

    async def set_up_menus(self, texts: Mapping[str, MenuTexts]) -> dict[str, str]:
        """The rich menus in all languages of `texts`, the first one for everybody. Raises SendFailed."""
        return await set_up_rich_menus(self.api, texts)

    async def show_menu(self, address: Address, language: str) -> None:
        """Give this person the menu in `language`, if it was set up. Never raises: a menu is a convenience.

        The menus are asked for each time: languages change seldom, and `smileline line setup` may have run meanwhile.
        """
        with contextlib.suppress(SendFailed):
            named, _ = await self.api.menus()
            menus = {code: menu for alias, menu in named.items() if (code := language_of(alias))}
            menu_id = menus.get(language.lower()) or menus.get(language.partition("-")[0])
            if menu_id:
                await self.api.show_menu(address.chat, menu_id)

    async def webhook(self, body: bytes, headers: Mapping[str, str]) -> int:
        """One call of LINE. 200: all stored, or refused for good. 503: not stored, LINE shall deliver again."""
        if self._receive is None:
            return 503
        if refused := self._unsigned(body, headers.get(_HEADER)):
            log.warning("webhook_refused", why="signature", status=refused, length=len(body))
            return refused
        try:
            events, odd = read_events(json.loads(body), self._clock())
        except (ValueError, RecursionError, OddEventError):
            log.warning("webhook_refused", why="body", length=len(body))
            return 400
        if odd:
            log.warning("events_refused", odd=odd)
        await self._learn_languages([event for event in events if isinstance(event, Incoming)])
        try:
            await together([self._take_in(event) for event in events])
        except Exception as err:  # the inbox could not store it
            # No traceback: its lines may quote the patient.
            log.error("event_not_stored", error=type(err).__name__)
            return 503
        return 200

    # --- taking in

    def _unsigned(self, body: bytes, given: str | None) -> int:
        """0 when LINE has signed this body, else the status to answer with."""
        if not given:
            return 401
        mac = base64.b64encode(hmac.new(self._secret, body, hashlib.sha256).digest())
        return 0 if hmac.compare_digest(mac, given.encode("utf-8", "surrogateescape")) else 400

    async def _take_in(self, event: Incoming | GroupJoined) -> None:
        assert self._receive is not None
        if isinstance(event, Incoming):
            hint = self._languages.get(event.address.chat)
            await self._receive(replace(event, language_hint=hint) if hint else event)
        elif self._group_refused:
            with contextlib.suppress(SendFailed):
                await self.api.reply(event.reply_token, [{"type": "text", "text": self._group_refused(None)}])

    async def _learn_languages(self, events: Iterable[Incoming]) -> None:
        """The profiles' languages; asked once a person and at each new start, for a second at most: LINE awaits our 200."""
        unknown = (
            e.address.chat
            for e in events
            if e.kind == "joined" or (e.address.chat not in self._languages and not _TELLS.search(e.text))
        )
        users = list(dict.fromkeys(unknown))
        for user, language in zip(users, await asyncio.gather(*map(self._language, users)), strict=True):
            self._languages[user] = language
        while len(self._languages) > LANGUAGES_KEPT:
            self._languages.popitem(last=False)

    async def _language(self, user: str) -> str | None:
        try:
            return await self.api.language(user)
        except SendFailed as err:
            log.info("language_unknown", reason=err.reason)
            return None

    # --- sending

    async def _replied(self, token: str, objects: list[Json], repeated: bool) -> bool:
        """False when the token is worth nothing any more, so that a push is due.

        A fresh token works once: when it is refused to one who may have used it before, then it was used.
        """
        try:
            await self.api.reply(token, objects)
        except SendFailed as err:
            if err.sent == "unknown":
                self._doubt(token)
            if err.reason != "reply_token":
                raise
            return repeated or token in self._doubted
        return True

    def _doubt(self, token: str) -> None:
        self._doubted[token] = None
        while len(self._doubted) > DOUBTS_KEPT:
            self._doubted.popitem(last=False)

    async def _push(self, user: str, objects: list[Json], key: str, *, repeat: bool) -> None:
        """`repeat`: try again here, since the caller has no key to repeat it with. LINE drops what it has accepted."""
        for number in range(PUSH_TRIES):
            try:
                return await self.api.push(user, objects, key)
            except SendFailed as err:
                again = (
                    repeat and number < PUSH_TRIES - 1 and err.reason in ("unknown_outcome", "unreachable")
                )
                if not again:
                    raise
            await self._sleep(0.5 * 2**number)
        return None


def _key(retry_key: str | None, number: int) -> str:
    """The key of the `number`th call of one message: the caller's for the first, derived from it for the others."""
    if retry_key is None:
        return str(uuid.uuid4())
    return retry_key if number == 0 else str(uuid.uuid5(uuid.UUID(retry_key), str(number)))
