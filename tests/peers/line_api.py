"""LINE's platform for tests: every request checked against the strict spec, the platform's memory kept, faults on demand.

The memory is what no mock of the spec has: retry keys, reply tokens that work once and expire, UTF-16 counting, the quota.
`deliver` signs events, checked against webhook.yml, and hands them to a webhook.
"""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from tests.peers import line_spec
from tests.peers.loopback import Loopback

TOKEN = "line-channel-access-token-for-tests-000000"
SECRET = "line-channel-secret"
BOT = "U" + "b" * 32
USER = "U" + "1" * 32
Webhook = Callable[[bytes, Mapping[str, str]], Awaitable[int]]


class LinePlatform(Loopback):
    """`async with LinePlatform() as line:`; the bot's api_url is `line.url`."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.violations: list[str] = []
        self.faults: list[dict[str, Any]] = []  # {"path", "kind", "message", "headers"}
        self.accepted: list[dict[str, Any]] = []  # {"how", "to", "messages", "key"}
        self.keys: dict[str, str] = {}
        self.tokens: dict[str, tuple[float, str]] = {}
        self.languages: dict[str, str] = {}
        self.quota: int | None = None
        self.used = 0  # of the quota, before this
        self.menus: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, str] = {}
        self.pictures: dict[str, bytes] = {}
        self.linked: dict[str, str] = {}
        self.contents: dict[str, bytes] = {}  # message id -> what people sent
        self.changed = asyncio.Condition()
        self._now, self._ids = now, itertools.count(1)

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/{rest:.*}", self._call)

    # --- what people do

    def event(self, kind: str = "message", user: str = USER, **content: Any) -> dict[str, Any]:
        """One webhook event to spec. `text="..."` makes a text message; other content is merged in."""
        event: dict[str, Any] = {
            "type": kind,
            "mode": "active",
            "timestamp": int(self._now() * 1000),
            "webhookEventId": f"01H{next(self._ids):023d}",
            "deliveryContext": {"isRedelivery": False},
            "source": {"type": "user", "userId": user},
        }
        if "text" in content:
            message = {
                "type": "text",
                "id": str(next(self._ids)),
                "quoteToken": "q",
                "text": content.pop("text"),
            }
            content["message"] = message
        if kind in ("message", "postback", "follow", "join"):
            event["replyToken"] = uuid.uuid4().hex
            self.tokens[event["replyToken"]] = (self._now(), user)
        if kind == "follow":
            event["follow"] = {"isUnblocked": False}
        return event | content

    async def deliver(self, webhook: Webhook, *events: dict[str, Any], to_spec: bool = True) -> int:
        """Hand `events` to the bot as one signed call; returns its status."""
        body = {"destination": BOT, "events": list(events)}
        if to_spec:
            wrong = line_spec.problems("webhook.yml", "#/components/schemas/CallbackRequest", body)
            assert not wrong, wrong
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return await webhook(raw, signed(raw))

    def texts(self, user: str = USER) -> list[str]:
        return [
            m["text"]
            for call in self.accepted
            if call["to"] == user
            for m in call["messages"]
            if m["type"] == "text"
        ]

    async def seen(self, condition: Callable[[], Any], seconds: float = 5) -> None:
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    # --- the bot's side

    async def _call(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        picture = request.path.endswith("/content")
        body = json.loads(raw) if raw and not picture else (raw or None)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(401, "Authentication failed")
        wrong = line_spec.request_problems(request.method, request.path, body)
        wrong = (
            [f"no operation {request.method} {request.path}"] if wrong is None else wrong + _too_long(body)
        )
        key = request.headers.get("X-Line-Retry-Key")
        wrong += [] if key is None or _is_uuid(key) else ["X-Line-Retry-Key is no UUID"]
        if wrong:
            self.violations += wrong
            return _error(400, f"The request body has {len(wrong)} error(s)")
        self.calls.append((f"{request.method} {request.path}", body))
        fault = self._fault(request.path)
        response = await self._faulty(fault, request, body) if fault else self._answer(request, body)
        async with self.changed:
            self.changed.notify_all()
        return response

    def _fault(self, path: str) -> dict[str, Any] | None:
        found = next((f for f in self.faults if path.endswith(f.get("path", ""))), None)
        if found:
            self.faults.remove(found)
        return found

    async def _faulty(self, fault: dict[str, Any], request: web.Request, body: Any) -> web.StreamResponse:
        match fault["kind"]:
            case int(status):
                return _error(
                    status, fault.get("message", "fault"), fault.get("headers", {}), fault.get("details")
                )
            case "html":
                return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
            case "odd":
                self._answer(request, body)
                return web.Response(text="[1", content_type="application/json")
            case "cut_after":
                self._answer(request, body)
            case "hang":
                await asyncio.sleep(fault["seconds"])
                return _error(500, "slow")
        assert request.transport
        request.transport.abort()
        return web.Response()

    def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        path, rest = request.path, request.path.rsplit("/", 1)[1]
        if path.startswith("/v2/bot/message/") and rest == "content":
            found = self.contents.get(path.split("/")[4])
            return web.Response(body=found, content_type="image/jpeg") if found else _error(404, "Not found")
        if path.startswith("/v2/bot/message/quota"):
            used = self._pushes()
            limit = {"type": "limited", "value": self.quota} if self.quota else {"type": "none"}
            return web.json_response({"totalUsage": used} if rest == "consumption" else limit)
        if path.startswith("/v2/bot/message/"):
            return self._message(rest, body, request.headers.get("X-Line-Retry-Key"))
        if path.startswith("/v2/bot/profile/"):
            language = {"language": self.languages[rest]} if rest in self.languages else {}
            return web.json_response({"displayName": "Pat", "userId": rest, **language})
        if path == "/v2/bot/info":
            info = {"userId": BOT, "basicId": "@123abcde", "displayName": "Clinic"}
            return web.json_response(info | {"chatMode": "bot", "markAsReadMode": "auto"})
        if "richmenu" in path:
            return self._menu(request.method, path, body)
        return web.json_response({})

    def _message(self, how: str, body: Any, key: str | None) -> web.StreamResponse:
        if how == "reply":
            born, user = self.tokens.pop(body["replyToken"], (0.0, ""))
            if self._now() - born > 60:
                return _error(400, "Invalid reply token")
        else:
            user = body["to"]
            if key in self.keys:
                headers = {"x-line-accepted-request-id": self.keys[key]}
                return _error(409, "The retry key is already accepted", headers)
            if self.quota is not None and self._pushes() >= self.quota:
                return _error(429, "You have reached your monthly limit.")
        if key:
            self.keys[key] = str(uuid.uuid4())
        self.accepted.append({"how": how, "to": user, "messages": body["messages"], "key": key})
        sent = [{"id": str(next(self._ids)), "quoteToken": "q"} for _ in body["messages"]]
        return web.json_response({"sentMessages": sent})

    def _pushes(self) -> int:
        return self.used + sum(call["how"] == "push" for call in self.accepted)

    def _menu(self, method: str, path: str, body: Any) -> web.StreamResponse:
        parts = path.split("/")
        match method, parts[3:]:
            case "GET", ["richmenu", "list"]:
                return web.json_response(
                    {"richmenus": [{"richMenuId": i, **menu} for i, menu in self.menus.items()]}
                )
            case "GET", ["richmenu", "alias", "list"]:
                rows = [
                    {"richMenuAliasId": alias, "richMenuId": menu} for alias, menu in self.aliases.items()
                ]
                return web.json_response({"aliases": rows})
            case "POST", ["richmenu"]:
                menu_id = f"richmenu-{next(self._ids)}"
                self.menus[menu_id] = body
                return web.json_response({"richMenuId": menu_id})
            case "POST", ["richmenu", "alias"]:
                self.aliases[body["richMenuAliasId"]] = body["richMenuId"]
            case "POST", ["richmenu", menu_id, "content"]:
                self.pictures[menu_id] = body
            case "DELETE", ["richmenu", "alias", alias]:
                del self.aliases[alias]
            case "DELETE", ["richmenu", menu_id]:
                del self.menus[menu_id]
            case "POST", ["user", user, "richmenu", menu_id]:
                self.linked[user] = menu_id
        return web.json_response({})


def signed(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers with which LINE delivers `raw`."""
    mac = base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()
    return {"Content-Type": "application/json; charset=utf-8", "X-Line-Signature": mac}


def _too_long(body: Any) -> list[str]:
    """Texts over 5,000 UTF-16 units: JSON schema counts characters."""
    messages = body.get("messages", []) if isinstance(body, dict) else []
    lengths = [len(m.get("text", "").encode("utf-16-le", "surrogatepass")) // 2 for m in messages]
    return [f"text of {length} units" for length in lengths if length > 5000]


def _is_uuid(key: str) -> bool:
    try:
        return bool(uuid.UUID(key))
    except ValueError:
        return False


def _error(status: int, message: str, headers: Any = None, details: Any = None) -> web.Response:
    body = {"message": message} | ({"details": details} if details else {})
    return web.json_response(body, status=status, headers=headers or {})
