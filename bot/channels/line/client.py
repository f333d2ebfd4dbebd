"""LINE's Messaging API as the few verbs that we need, in plain values. The only file that imports line-bot-sdk.

Timeouts are passed on every call: the library's own is five minutes.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import linebot  # type: ignore[import-untyped]  # it publishes no types
from linebot.v3.messaging import (  # type: ignore[import-untyped]  # it publishes no types
    ApiException,
    AsyncApiClient,
    AsyncMessagingApi,
    AsyncMessagingApiBlob,
    Configuration,
    CreateRichMenuAliasRequest,
    RichMenuRequest,
    ShowLoadingAnimationRequest,
)

from bot.channels.port import SendFailed

Json = dict[str, Any]
_DEFAULT_HOST = "https://api.line.me"
_AGENT = f"line-bot-sdk-python/{linebot.__about__.__version__}"
_LOADING_SECONDS = 20  # at most; the answer ends it. LINE takes multiples of five


class Quota(NamedTuple):
    """Pushes of this month: replies are free and do not count. `limit` None: the plan has none."""

    limit: int | None
    used: int


class LineApi:
    """Calls the Messaging API. Every method raises SendFailed, and nothing else, for LINE's or the network's fault."""

    def __init__(
        self, token: str, api_url: str, *, data_url: str | None = None, seconds: float = 10.0
    ) -> None:
        """`data_url` is where pictures are; None: LINE's own place, or `api_url` where that is not LINE's."""
        host = api_url.rstrip("/")
        own = None if host == _DEFAULT_HOST else host
        self._settings = Configuration(access_token=token, host=own)
        self._data = Configuration(access_token=token, host=data_url.rstrip("/") if data_url else own)
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=seconds / 2)
        self._host = host
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": _AGENT}
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncApiClient | None = None
        self._data_client: AsyncApiClient | None = None

    async def reply(self, reply_token: str, messages: Sequence[Json]) -> None:
        """Answer an event, free of charge, once and within a minute. SendFailed("reply_token") when that is past."""
        body = {"replyToken": reply_token, "messages": list(messages)}
        if refused := await self._say("/v2/bot/message/reply", body):
            raise refused.failure from ApiException(refused.status)

    async def push(self, user: str, messages: Sequence[Json], retry_key: str) -> None:
        """Send at any time; costs quota. A repeat with the same key within a day changes nothing and counts as done."""
        body = {"to": user, "messages": list(messages)}
        refused = await self._say("/v2/bot/message/push", body, {"X-Line-Retry-Key": retry_key})
        if refused and refused.status != 409:  # LINE accepted an earlier try whose answer we never saw
            raise refused.failure from ApiException(refused.status)

    async def language(self, user: str) -> str | None:
        """The profile's language, a BCP 47 tag, where the person has agreed to show it."""
        async with self._calling() as api:
            profile = await api.get_profile(user, _request_timeout=aiohttp.ClientTimeout(total=1.0))
        return profile.language or None

    async def loading(self, user: str) -> None:
        request = ShowLoadingAnimationRequest(chatId=user, loadingSeconds=_LOADING_SECONDS)
        async with self._calling() as api:
            await api.show_loading_animation(request, _request_timeout=self._timeout)

    async def quota(self) -> Quota:
        async with self._calling() as api:
            plan = await api.get_message_quota(_request_timeout=self._timeout)
            used = await api.get_message_quota_consumption(_request_timeout=self._timeout)
        return Quota(plan.value or None, used.total_usage)

    async def basic_id(self) -> str:
        """The account's id for links, such as @123abcde."""
        async with self._calling() as api:
            info = await api.get_bot_info(_request_timeout=self._timeout)
        return str(info.basic_id)

    async def menus(self) -> tuple[dict[str, str], set[str]]:
        """The rich menus that are complete, as alias -> id, and the ids of all that exist with or without an alias."""
        async with self._calling() as api:
            aliases = await api.get_rich_menu_alias_list(_request_timeout=self._timeout)
            listed = await api.get_rich_menu_list(_request_timeout=self._timeout)
        named = {row.rich_menu_alias_id: row.rich_menu_id for row in aliases.aliases}
        return named, {menu.rich_menu_id for menu in listed.richmenus if menu.name.startswith("smileline")}

    async def create_menu(self, menu: Json, picture: bytes, alias: str) -> str:
        """A rich menu with its PNG; returns the id. Dying in between leaves one without an alias: the next set-up removes it."""
        request = _built(RichMenuRequest, menu)
        async with self._calling() as api:
            made = await api.create_rich_menu(request, _request_timeout=self._timeout)
            await self._blobs().set_rich_menu_image(
                made.rich_menu_id,
                body=bytearray(picture),
                _headers={"Content-Type": "image/png"},
                _request_timeout=aiohttp.ClientTimeout(total=60),
            )
            named = CreateRichMenuAliasRequest(richMenuAliasId=alias, richMenuId=made.rich_menu_id)
            await api.create_rich_menu_alias(named, _request_timeout=self._timeout)
        return str(made.rich_menu_id)

    async def content(self, message: str) -> bytes:
        """The picture of a message that somebody sent; LINE holds it for a while."""
        async with self._calling():
            found = await self._blobs().get_message_content(message, _request_timeout=self._timeout)
        return bytes(found)

    async def delete_menu(self, menu_id: str) -> None:
        """The menu; its alias, if it has one, must be gone before."""
        async with self._calling() as api:
            await api.delete_rich_menu(menu_id, _request_timeout=self._timeout)

    async def delete_menu_alias(self, alias: str) -> None:
        async with self._calling() as api:
            await api.delete_rich_menu_alias(alias, _request_timeout=self._timeout)

    async def show_menu_to_all(self, menu_id: str) -> None:
        async with self._calling() as api:
            await api.set_default_rich_menu(menu_id, _request_timeout=self._timeout)

    async def show_menu(self, user: str, menu_id: str) -> None:
        async with self._calling() as api:
            await api.link_rich_menu_id_to_user(user, menu_id, _request_timeout=self._timeout)

    async def close(self) -> None:
        for open_ in (self._client, self._data_client, self._session):
            if open_:
                await open_.close()
        self._client = self._data_client = self._session = None

    def _blobs(self) -> AsyncMessagingApiBlob:
        """What is no JSON has a host of its own."""
        if self._data_client is None:
            self._data_client = AsyncApiClient(self._data)
        return AsyncMessagingApiBlob(self._data_client)

    async def _say(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> "Refused | None":
        """Post what patients read, without the library: its models and its look at the environment for a proxy, anew at each
        call, cost three times all the rest of an answer. What we send is checked against LINE's own description by the tests.
        """
        if self._session is None:  # wants a running loop; also after `close`
            self._session = aiohttp.ClientSession(
                headers=self._headers, timeout=self._timeout, proxy=proxy_for(self._host)
            )
        try:
            async with self._session.post(self._host + path, json=body, headers=headers) as answer:
                text = await answer.read()
        except Exception as err:
            raise failure(err) from err
        if answer.ok:
            _read(text)
            return None
        return Refused(answer.status, text, answer.headers)

    @asynccontextmanager
    async def _calling(self) -> AsyncIterator[AsyncMessagingApi]:
        if self._client is None:  # the library wants a running loop; also after `close`
            self._client = AsyncApiClient(self._settings)
        try:
            yield AsyncMessagingApi(self._client)
        except SendFailed:
            raise
        except Exception as err:
            raise failure(err) from err


def _built(kind: Any, content: Json) -> Any:
    """The library's request; it checks form and limits before anything is sent."""
    try:
        return kind.from_dict(content)
    except Exception as err:
        raise SendFailed("refused") from err


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def failure(err: Exception) -> SendFailed:
    """The library's or aiohttp's error as ours."""
    if isinstance(err, ApiException):
        return Refused(err.status or 0, err.body or b"", err.headers or {}).failure
    if isinstance(err, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return SendFailed("unreachable")
    return SendFailed("unknown_outcome", sent="unknown")


def _read(text: bytes) -> None:
    """An answer that is none tells nothing of what became of the message."""
    try:
        json.loads(text)
    except ValueError as err:
        raise failure(err) from err


class Refused(NamedTuple):
    """LINE's answer other than yes."""

    status: int
    body: bytes | str
    headers: Mapping[str, str]

    @property
    def failure(self) -> SendFailed:
        status, text = self.status, self._message
        match status:
            case 400 if "reply token" in text:
                return SendFailed("reply_token")
            case 400 if (
                "'to'" in text or '"to"' in text or "property: to" in text or "failed to send" in text
            ):
                return SendFailed(
                    "blocked", permanent=True
                )  # no friend of this account any more, or never was
            case 401:
                return SendFailed("token_refused")
            case 429 if "monthly limit" in text:
                return SendFailed("quota")
            case 429:
                return SendFailed("rate_limited", retry_after=self._retry_after)
            case _ if 400 <= status < 500:
                return SendFailed("refused")
        return SendFailed("unknown_outcome", sent="unknown")

    @property
    def _message(self) -> str:
        """What LINE said, lower case, details included."""
        try:
            body = json.loads(self.body or b"{}")
            details = [
                f"property: {item.get('property')} {item.get('message')}" for item in body.get("details", [])
            ]
            return " ".join([str(body.get("message", "")), *details]).lower().replace("`", "'")
        except (ValueError, AttributeError, TypeError):
            return ""

    @property
    def _retry_after(self) -> float:
        given = str(self.headers.get("Retry-After", ""))
        return min(float(given), 3600.0) if given.isdigit() else 2.0
