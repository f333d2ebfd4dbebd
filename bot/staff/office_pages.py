"""Coming in, going out, the audit trail and the figures."""

import asyncio
import datetime as dt
import secrets

from aiohttp import web

from bot.staff import checkins
from bot.staff.gate import COOKIE, DOOR, LONGEST
from bot.staff.site import HOME, Visit

LINES = 100


async def login(visit: Visit) -> web.StreamResponse:
    """The log-in form, or home for those who are in."""
    if visit.held:
        return visit.go(home_of(visit))
    return await _form(visit, "")


async def _form(visit: Visit, problem: str, status: int = 200) -> web.StreamResponse:
    door = secrets.token_urlsafe(24)
    token = visit.site.gate.door_token(door)
    exists = await asyncio.to_thread(visit.site.store.staff_exists)
    page = await visit.page("login.html", status, door=token, problem=problem, exists=exists)
    visit.site.set_cookie(page, DOOR, door, dt.timedelta(hours=1))
    return page


async def log_in(visit: Visit) -> web.StreamResponse:
    """A new session: whatever cookie came along is replaced, so that nobody can have planted it."""
    gate, door = visit.site.gate, visit.request.cookies.get(DOOR, "")
    if not door or not gate.same(visit.form.get("csrf", ""), gate.door_token(door)):
        return await _form(visit, "The form had grown old. Please try again.", 403)
    place = visit.request.remote or ""
    result = await gate.log_in(visit.form.get("name", "").strip(), visit.form.get("password", ""), place)
    if isinstance(result, dt.timedelta):
        seconds = max(1, round(result.total_seconds()))
        return await _form(visit, f"Too many tries. Please wait {seconds} seconds.", 429)
    if result is None:
        return await _form(visit, "The name or the password is wrong.", 401)
    if visit.held:
        await gate.log_out(visit.held)
    response = visit.go(HOME)
    visit.site.set_cookie(response, COOKIE, result, LONGEST)
    response.del_cookie(DOOR, path="/staff")
    return response


async def log_out(visit: Visit) -> web.StreamResponse:
    if visit.held:
        await visit.site.gate.log_out(visit.held)
    response = visit.go("/staff/login", "You are logged out.")
    response.del_cookie(COOKIE, path="/staff")
    return response


def home_of(visit: Visit) -> str:
    return HOME if visit.role in ("care", "admin") else "/staff/faq"


async def audit(visit: Visit) -> web.StreamResponse:
    """Who changed or read what, and when; newest first."""
    before = visit.request.query.get("before", "")
    start = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    lines = await asyncio.to_thread(visit.site.store.audit_lines, LINES, start)
    more = lines[-1][0] if len(lines) == LINES else None
    return await visit.page("audit.html", lines=[line for _, line in lines], more=more)


async def figures(visit: Visit) -> web.StreamResponse:
    """What is asked, what helps, what does not."""
    days = 30 if visit.request.query.get("days") == "30" else 7
    asking = checkins.asking(visit.site.faq)
    since = visit.now - dt.timedelta(days=days)
    week = await asyncio.to_thread(visit.site.store.week, since, visit.now, asking)
    digest = await visit.site.desk.digest.text(visit.now)
    asked = sum(week.outcomes.get(name, 0) for name in ("answer", "choices", "unknown"))
    return await visit.page(
        "figures.html",
        week=week,
        days=days,
        digest=digest,
        asked=asked,
        entries=visit.site.faq.entries,
        faq=visit.site.faq,
    )
