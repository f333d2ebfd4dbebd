"""The staff page's frame: who may open which page, what every answer carries, how a page is drawn.

Deny by default: a page is reached only through `guarded`, and only with a session of one of its roles; whatever changes
something is a POST that carries the session's token.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from bot import logs
from bot.links import LinkError, Names
from bot.live import LiveFaq
from bot.staff.desk import StaffDesk
from bot.staff.editing import Editing
from bot.staff.forms import form_of, with_files
from bot.staff.gate import COOKIE, Gate, Held
from bot.store.staff import Role
from bot.store.store import Store
from intents.faq import Faq

log = logs.get("staff")
HERE = Path(__file__).parent
HOME = "/staff/"
SAID = "smileline_said"
CHANNELS = {"line": "LINE", "telegram": "Telegram", "web": "the chat page"}
REASONS = {  # why a reminder did not go out as planned, in words
    "folded": "a later one stands for it", "late": "too late", "past": "over before they came",
    "had": "had it already", "moved": "the date was moved",
    "newer_procedure": "it comes again after a newer procedure",
    "stopped": "stopped by the patient", "paused": "paused by the patient", "step_removed": "taken out of the FAQ",
    "unreachable": "not reachable", "alert": "people are concerned", "quota": "this month's messages are used up",
    "quiet": "quiet hours", "unknown_outcome": "nobody can tell whether it arrived",
    "blocked": "the patient blocked the bot", "refused": "the messenger refused it",
    "rate_limited": "the messenger wants us to wait", "channel_off": "the channel is off", "restored": "a restored backup",
}  # fmt: skip
LOOK_COUNTS = dt.timedelta(minutes=10)
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

ANYONE: frozenset[Role] = frozenset({"editor", "care", "admin"})
CARE: frozenset[Role] = frozenset({"care", "admin"})
EDITORS: frozenset[Role] = frozenset({"editor", "admin"})
ADMIN: frozenset[Role] = frozenset({"admin"})


@dataclass
class Visit:
    """One request of somebody who may make it. `form` holds a POST's fields, `files` what was chosen with them."""

    site: "Site"
    request: web.Request
    held: Held | None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def who(self) -> str:
        return self.held.session.account.name if self.held else ""

    @property
    def role(self) -> str:
        return self.held.session.account.role if self.held else ""

    @property
    def now(self) -> dt.datetime:
        return self.site.clock()

    def number(self) -> int:
        """The number in the address. Raises 404."""
        text = self.request.match_info.get("number", "")
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise web.HTTPNotFound
        return int(text)

    async def page(self, template: str, status: int = 200, **values: Any) -> web.Response:
        """A page of ours, drawn."""
        badge = await asyncio.to_thread(self.site.badge) if self.held else {}
        common = {
            "who": self.who,
            "role": self.role,
            "csrf": self.held.csrf if self.held else "",
            "said": self.site.unsay(self.request.cookies.get(SAID, "")),
            "problems": self.site.live.problems,
            "path": self.request.path,
            "now": self.now,
            **badge,
        }
        text = await asyncio.to_thread(self.site.draw, template, {**common, **values})
        response = web.Response(text=text, content_type="text/html", status=status)
        if SAID in self.request.cookies:
            response.del_cookie(SAID, path="/staff")
        return response

    def go(self, path: str, said: str = "") -> web.Response:
        """On to another page, which shows `said` once."""
        response = web.Response(status=303, headers={"Location": path})
        if said:
            self.site.set_cookie(response, SAID, self.site.say(said), dt.timedelta(minutes=1))
        return response

    async def audit_reading(self, subject: str) -> None:
        """That somebody looked at a patient; once in ten minutes, since open pages draw themselves anew."""
        if self.site.first_look(self.who, subject, self.now):
            await self.audit("read", subject)

    async def audit(self, what: str, subject: str, detail: str = "") -> None:
        await asyncio.to_thread(self.site.store.audit, self.who, what, subject, self.now, detail)


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """A page, and who may open it. `roles` None: everybody, and the page guards itself (the log-in).

    `files`: its form may bring some, at most LARGEST_FORM bytes in all.
    """

    method: str
    path: str
    handler: Handler
    roles: frozenset[Role] | None = ANYONE
    files: bool = False


class Site:
    """What the pages share."""

    def __init__(
        self,
        store: Store,
        desk: StaffDesk,
        live: LiveFaq,
        faq_path: Path,
        key: bytes,
        clock: Callable[[], dt.datetime],
        *,
        secure: bool = False,
        labelled: Path | None = None,
        names: Callable[[], Awaitable[Names]] | None = None,
    ) -> None:
        """`names`: whom a patient's link leads to; raises LinkError. None: no messenger is set."""
        self.names = names or no_names
        self.store, self.desk, self.live, self.faq_path = store, desk, live, faq_path
        self.editing = Editing(live, faq_path, store, labelled)
        self.clock, self.secure = clock, secure
        self.gate = Gate(store, key, clock)
        self._key = hmac.new(key, b"smileline staff notes 1", hashlib.sha256).digest()
        self._looks: dict[tuple[str, str], dt.datetime] = {}
        self._drawer = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._drawer.filters["moment"] = self.moment
        self._drawer.filters["ago"] = self.ago
        self._drawer.filters["channel"] = lambda name: CHANNELS.get(name, name)
        self._drawer.filters["reason"] = lambda name: REASONS.get(name, name)

    @property
    def faq(self) -> Faq:
        return self.live.current.faq

    def mount(self, router: web.UrlDispatcher, routes: tuple[Route, ...]) -> None:
        """Give the server our pages."""
        for route in routes:
            router.add_route(route.method, route.path, self.guarded(route))
        router.add_static("/staff/static", HERE / "static")

    def guarded(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                response = await self._admit(route, request)
            except web.HTTPException as err:
                err.headers.update(HEADERS)
                raise
            response.headers.update(HEADERS)
            return response

        return handle

    async def _admit(self, route: Route, request: web.Request) -> web.StreamResponse:
        touch = not request.path.endswith("/pulse")  # a page left open must not keep a session alive
        held = await self.gate.session(request.cookies.get(COOKIE, ""), touch)
        visit = Visit(self, request, held)
        if route.roles is not None:
            if held is None:
                if route.method == "POST":
                    raise web.HTTPForbidden(text="Please log in first.")
                return visit.go("/staff/login")
            if held.session.account.role not in route.roles:
                log.warning("role_refused", path=route.path, role=held.session.account.role)
                return await visit.page("refused.html", status=403)
        if route.method == "POST":
            visit.form, visit.files = await (with_files(request) if route.files else form_of(request))
            if not from_here(request):
                raise web.HTTPForbidden(text="This form came from elsewhere.")
            if route.roles is not None and (
                held is None or not self.gate.same(visit.form.get("csrf", ""), held.csrf)
            ):
                raise web.HTTPForbidden(text="This form is too old. Go back, reload the page and try again.")
        return await route.handler(visit)

    def set_cookie(self, response: web.Response, name: str, value: str, kept: dt.timedelta) -> None:
        response.set_cookie(
            name, value, path="/staff", httponly=True, samesite="Strict", secure=self.secure,
            max_age=int(kept.total_seconds()),
        )  # fmt: skip

    def first_look(self, who: str, subject: str, now: dt.datetime) -> bool:
        recent = {key: at for key, at in self._looks.items() if now - at < LOOK_COUNTS}
        first = (who, subject) not in recent
        self._looks = {**recent, (who, subject): now} if first else recent
        return first

    # --- drawing

    def draw(self, template: str, values: Mapping[str, Any]) -> str:
        return self._drawer.get_template(template).render(values)

    def badge(self) -> dict[str, int]:
        """The counts in the menu. Asks the store."""
        total, unread = self.store.open_count()
        return {
            "open_alerts": total,
            "unread_alerts": unread,
            "open_visits": len(self.store.open_appointments()),
        }

    def moment(self, moment: dt.datetime | None) -> str:
        """On the clinic's clocks."""
        if moment is None:
            return "–"
        return f"{moment.astimezone(ZoneInfo(self.faq.clinic.timezone)):%a %d %b %Y, %H:%M}"

    def ago(self, moment: dt.datetime) -> str:
        minutes = int((self.clock() - moment).total_seconds() // 60)
        for size, name in ((1440, "d"), (60, "h"), (1, "min")):
            if minutes >= size:
                return f"{minutes // size} {name} ago"
        return "just now"

    # --- a word to the next page, signed: nobody else can put words on ours

    def say(self, text: str) -> str:
        body = base64.urlsafe_b64encode(text[:600].encode()).decode()
        return f"{body}.{hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()}"

    def unsay(self, value: str) -> str:
        body, _, mac = value.partition(".")
        wanted = hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()
        return base64.urlsafe_b64decode(body).decode() if body and Gate.same(mac, wanted) else ""


async def no_names() -> Names:
    raise LinkError("No messenger is set")


def from_here(request: web.Request) -> bool:
    """Whether the browser says that the form is ours; old browsers say nothing, and the token decides."""
    origin, fetch = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if fetch not in (None, "same-origin", "none"):
        return False
    return origin is None or origin.split("://")[-1] == request.host
