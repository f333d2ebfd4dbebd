"""A Bot API server for tests: getUpdates and webhooks as the official server does them, every request checked, faults on demand.

`say`, `tap` and the like are what people do; `chat(id)` is what they see. Counting happens here, on the platform's side.
"""

import asyncio
import itertools
import json
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.peers.bot_api_spec import Spec
from tests.peers.loopback import Loopback

SPEC = Path(__file__).parent.parent / "specs" / "telegram" / "api.json"
TOKEN = "987654:TEST-token_of-a-bot-that-is-none-00"
SECRET = "webhook-Secret_1"
DATE = 1_795_000_000
TEXTS = {
    400: "Bad Request: chat not found",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    500: "Internal Server Error",
}
_shared_spec: list[Spec] = []


def spec() -> Spec:
    if not _shared_spec:
        _shared_spec.append(Spec(SPEC))
    return _shared_spec[0]


class BotApiServer(Loopback):
    """`async with BotApiServer() as telegram:`; the bot's api_url is `telegram.url`."""

    def __init__(self) -> None:
        self.queue: deque[dict[str, Any]] = deque()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.violations: list[str] = []
        self.faults: list[
            dict[str, Any]
        ] = []  # {"method", "kind", "retry_after", "description", "parameters", "chat"}
        self.messages: dict[tuple[str, int], dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}  # file_id -> what people sent
        self.photos: list[tuple[str, bytes]] = []  # (chat, what the bot sent)
        self.captions: list[str] = []
        self.open_queries: set[str] = set()
        self.commands: dict[str, Any] = {}
        self.descriptions: dict[str, str] = {}
        self.hook: dict[str, Any] | None = None
        self.offset = 0
        self.polls = 0
        self.changed = asyncio.Condition()
        self._ids, self._updates = itertools.count(1), itertools.count(5000)
        self._names = defaultdict(lambda: "en")

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/bot{token}/{method}", self._call)
        router.add_get("/file/bot{token}/{path:.+}", self._file)

    # --- what people do

    async def update(self, **content: Any) -> int:
        """Anything at all happens; returns its update_id."""
        number = next(self._updates)
        async with self.changed:
            self.queue.append({"update_id": number, **content})
            self.changed.notify_all()
        for _ in range(5):  # until it is taken, as Telegram does (with waits from a second on)
            if not self.hook or await self.deliver(self.queue[-1]) == 200:
                break
        return number

    def person(self, chat: int, language: str | None = "en") -> dict[str, Any]:
        return {
            "id": chat,
            "is_bot": False,
            "first_name": "Pat",
            **({"language_code": language} if language else {}),
        }

    def message(self, chat: int, language: str | None = "en", **content: Any) -> dict[str, Any]:
        kind = "private" if chat > 0 else "supergroup"
        sender = self.person(abs(chat), language)
        return {
            "message_id": next(self._ids),
            "date": DATE,
            "from": sender,
            "chat": {"id": chat, "type": kind},
            **content,
        }

    async def say(self, chat: int, text: str, language: str | None = "en") -> int:
        return await self.update(message=self.message(chat, language, text=text))

    async def tap(self, chat: int, label: str, *, data: str | None = None, inaccessible: bool = False) -> int:
        """Press the newest button that carries `label` (or forge `data`)."""
        shown = next(m for m in reversed(self.chat(chat)) if data or label in self.labels(m))
        pressed = data or next(b["callback_data"] for row in _rows(shown) for b in row if b["text"] == label)
        query = f"q{next(self._ids)}"
        self.open_queries.add(query)
        message = {k: shown[k] for k in ("message_id", "chat")} | {"date": 0} if inaccessible else shown
        return await self.update(
            callback_query={
                "id": query,
                "from": self.person(chat),
                "message": message,
                "chat_instance": "1",
                "data": pressed,
            }
        )

    async def membership(self, chat: int, status: str, kind: str = "private") -> int:
        old = {"user": {"id": 1, "is_bot": True, "first_name": "B"}, "status": "left"}
        change = {"chat": {"id": chat, "type": kind}, "from": self.person(abs(chat)), "date": DATE}
        return await self.update(
            my_chat_member={**change, "old_chat_member": old, "new_chat_member": {**old, "status": status}}
        )

    async def deliver(self, update: dict[str, Any], secret: str | None = None) -> int:
        assert self.hook
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret or self.hook.get("secret_token", "")}
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.hook["url"], json=update, headers=headers) as response,
        ):
            return response.status

    # --- what people see

    def chat(self, chat: int | str) -> list[dict[str, Any]]:
        return [message for (where, _), message in self.messages.items() if where == str(chat)]

    def texts(self, chat: int | str) -> list[str]:
        return [message["text"] for message in self.chat(chat)]

    @staticmethod
    def labels(message: dict[str, Any]) -> list[str]:
        return [button["text"] for row in _rows(message) for button in row]

    async def seen(self, condition: Any, seconds: float = 5) -> None:
        """Wait until `condition()` holds; woken by every call of the bot."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    def called(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == method]

    # --- the bot's side

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method, params = request.match_info["method"], {**request.query, **await _form(request)}
        if request.match_info["token"] != TOKEN:
            return _error(401)
        violations = spec().check(method, dict(params))
        self.violations += violations
        if violations:
            return _error(400, "Bad Request: " + violations[0])
        self.calls.append((method, dict(params)))
        fault = self._fault(method, params)
        response = (
            await self._faulty(fault, method, params, request)
            if fault
            else await self._answer(method, params)
        )
        async with self.changed:
            self.changed.notify_all()
        return response

    def _fault(self, method: str, params: Any) -> dict[str, Any] | None:
        for fault in self.faults:
            wanted = fault.get("method", method), str(fault.get("chat", params.get("chat_id")))
            if wanted != (method, str(params.get("chat_id"))):
                continue
            if fault.get("skip"):
                fault["skip"] -= 1
                continue
            self.faults.remove(fault)
            return fault
        return None

    async def _faulty(
        self, fault: dict[str, Any], method: str, params: Any, request: web.Request
    ) -> web.StreamResponse:
        match fault["kind"]:
            case 429:
                return _error(
                    429,
                    f"Too Many Requests: retry after {fault['retry_after']}",
                    retry_after=fault["retry_after"],
                )
            case int(status):
                return _error(status, fault.get("description"), **fault.get("parameters", {}))
            case "html":
                return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
            case "json":
                await self._answer(method, params)
                return web.Response(text='{"ok":tru', content_type="application/json")
            case "odd":
                await self._answer(method, params)
                return web.json_response({"ok": True, "result": {"message_id": "x"}})
            case "cut_after":
                await self._answer(method, params)
            case "hang":
                await asyncio.sleep(fault["seconds"])
                return _error(500)
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def _answer(self, method: str, params: Any) -> web.StreamResponse:
        handler = getattr(self, f"_{method.lower()}", None)
        result = await handler(params) if handler else True
        return (
            result
            if isinstance(result, web.StreamResponse)
            else web.json_response({"ok": True, "result": result})
        )

    async def _getme(self, params: Any) -> Any:
        return {"id": 987654, "is_bot": True, "first_name": "Smileline", "username": "smileline_test_bot"}

    async def _getupdates(self, params: Any) -> Any:
        if self.hook:
            return _error(409, "Conflict: can't use getUpdates method while webhook is active")
        self.polls += 1
        self.offset = int(params.get("offset", 0))
        while self.queue and self.queue[0]["update_id"] < self.offset:
            self.queue.popleft()
        if not self.queue:
            try:
                async with asyncio.timeout(min(float(params.get("timeout", 0)), 1)), self.changed:
                    await self.changed.wait_for(lambda: self.queue)
            except TimeoutError:
                return []
        return list(self.queue)[:100]

    async def _setwebhook(self, params: Any) -> Any:
        self.hook = {"url": params["url"], "secret_token": params.get("secret_token", "")}
        return True

    async def _deletewebhook(self, params: Any) -> Any:
        self.hook = None
        return True

    async def _setmydescription(self, params: Any) -> Any:
        self.descriptions[params.get("language_code", "")] = params["description"]
        return True

    async def _setmycommands(self, params: Any) -> Any:
        self.commands[params.get("language_code", "")] = json.loads(params["commands"])
        return True

    async def _sendmessage(self, params: Any) -> Any:
        number, chat = next(self._ids), str(params["chat_id"])
        bot = {"id": 987654, "is_bot": True, "first_name": "Smileline"}
        message = {"message_id": number, "date": DATE, "from": bot, "text": params["text"]}
        message["chat"] = {"id": int(chat), "type": "private" if int(chat) > 0 else "supergroup"}
        if "reply_markup" in params:
            message["reply_markup"] = json.loads(params["reply_markup"])
        self.messages[chat, number] = message
        return message

    async def _sendphoto(self, params: Any) -> Any:
        number, chat = next(self._ids), str(params["chat_id"])
        self.photos.append((chat, params["photo"]))
        self.captions.append(params.get("caption", ""))
        sizes = [{"file_id": f"f{number}", "file_unique_id": f"u{number}", "width": 1, "height": 1}]
        where = {"id": int(chat), "type": "private" if int(chat) > 0 else "supergroup"}
        return {"message_id": number, "date": DATE, "chat": where, "photo": sizes}

    async def _getfile(self, params: Any) -> Any:
        if params["file_id"] not in self.files:
            return _error(400, "Bad Request: invalid file_id")
        return {
            "file_id": params["file_id"],
            "file_unique_id": "u",
            "file_path": f"photos/{params['file_id']}",
        }

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = self.files.get(request.match_info["path"].removeprefix("photos/"))
        if request.match_info["token"] != TOKEN or found is None:
            return _error(404)
        return web.Response(body=found)

    async def _editmessagereplymarkup(self, params: Any) -> Any:
        message = self.messages.get((str(params["chat_id"]), int(params["message_id"])))
        if message is None:
            return _error(400, "Bad Request: message to edit not found")
        markup = json.loads(params.get("reply_markup", "null"))
        if markup == message.get("reply_markup"):
            return _error(400, "Bad Request: message is not modified")
        message = {key: value for key, value in message.items() if key != "reply_markup"}
        message |= {"reply_markup": markup} if markup else {}
        self.messages[str(params["chat_id"]), int(params["message_id"])] = message
        return message

    async def _answercallbackquery(self, params: Any) -> Any:
        if params["callback_query_id"] not in self.open_queries:
            return _error(
                400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
            )
        self.open_queries.discard(params["callback_query_id"])
        return True


async def _form(request: web.Request) -> dict[str, Any]:
    """The request's fields, files as their bytes."""
    form = {}
    for name, value in (await request.post()).items():
        form[name] = value
        if isinstance(value, web.FileField):
            with value.file as file:
                form[name] = file.read()
    return form


def _rows(message: dict[str, Any]) -> list[list[dict[str, str]]]:
    rows: list[list[dict[str, str]]] = message.get("reply_markup", {}).get("inline_keyboard", [])
    return rows


def _error(code: int, text: str | None = None, **parameters: Any) -> web.Response:
    body = {"ok": False, "error_code": code, "description": text or TEXTS.get(code, "error")}
    return web.json_response(body | ({"parameters": parameters} if parameters else {}), status=code)
