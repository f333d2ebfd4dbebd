"""A link and its QR code for one patient, as `smileline enrol` makes it: shown once, on the page that made it."""

import asyncio
import io
from zoneinfo import available_timezones

from aiohttp import web

from bot import links
from bot.core.recovery import local_date
from bot.staff.site import Visit
from intents.faq import THREAD_LIFT
from intents.languages import LANGUAGES

DAYS_VALID = 14


async def form(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def make(visit: Visit) -> web.StreamResponse:
    """The link; a page that is loaded again asks whether to send the form again, and that makes another link."""
    given, faq = visit.form, visit.site.faq
    kind, language, zone = given.get("kind") or THREAD_LIFT, given.get("lang", ""), given.get("tz", "")
    unknown_zone = zone != "" and zone not in available_timezones()
    if kind not in faq.procedures or (language and language.partition("-")[0] not in faq.languages):
        raise web.HTTPBadRequest(text="unknown kind of procedure or language")
    if unknown_zone:
        return await _page(visit, problem=f'"{zone[:40]}" is no time zone; write one such as Asia/Tokyo')
    try:
        today = local_date(visit.now, zone or faq.clinic.timezone)
        date = links.check(given.get("date", ""), DAYS_VALID, today)
        names = await visit.site.names()
    except links.LinkError as err:
        return await _page(visit, problem=str(err))
    payload = await asyncio.to_thread(
        links.invite, visit.site.store, date, visit.now, DAYS_VALID,
        language=language or None, timezone=zone or None, kind=kind,
    )  # fmt: skip
    await visit.audit("link.made", "enrolment")
    made = [(link, _drawn(link)) for link in links.links(names, payload)]
    return await _page(visit, made=made)


async def _page(
    visit: Visit, problem: str = "", made: list[tuple[links.Link, str]] | None = None
) -> web.StreamResponse:
    return await visit.page(
        "enrol.html", faq=visit.site.faq, languages=LANGUAGES, given=visit.form, problem=problem,
        made=made or [], days_valid=DAYS_VALID,
    )  # fmt: skip


def _drawn(link: links.Link) -> str:
    """The QR code as an SVG without style: the page's policy allows none."""
    out = io.BytesIO()
    link.qr.save(out, kind="svg", scale=6, border=4, xmldecl=False, svgns=True, light="#fff")
    return out.getvalue().decode()
