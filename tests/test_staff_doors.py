"""Every door of the staff page, with every wrong key: the matrix is made from the route table (RELIABILITY R14)."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.core.effects import OpenAlert
from bot.core.values import Address, Patient
from bot.staff.gate import COOKIE, Gate
from bot.staff.routes import ROUTES
from bot.staff.site import Route
from intents.faq import Faq
from tests.databases import KEY
from tests.helpers import NOW
from tests.staff_site import NAMES, Browser, Clinic, Reader, open_clinic

# Who may open what, written a second time: a new route, or a role that changes, fails until it is thought about here.
EXPECTED = {
    "GET /staff/login": "everybody",
    "POST /staff/login": "everybody",
    "POST /staff/logout": "admin care editor",
    "GET /staff": "admin care editor",
    "GET /staff/": "admin care editor",
    "GET /staff/pulse": "admin care",
    "GET /staff/threads/{number}": "admin care",
    "POST /staff/threads/{number}/reply": "admin care",
    "GET /staff/pictures/{number}": "admin care",
    "POST /staff/threads/{number}/take": "admin care",
    "POST /staff/threads/{number}/back": "admin care",
    "POST /staff/threads/{number}/learn": "admin care",
    "POST /staff/alerts/{number}/read": "admin care",
    "POST /staff/alerts/{number}/close": "admin care",
    "GET /staff/visits": "admin care",
    "POST /staff/visits/{number}": "admin care",
    "GET /staff/try": "admin care editor",
    "POST /staff/try": "admin care editor",
    "GET /staff/faq": "admin care editor",
    "GET /staff/faq/{entry}": "admin care editor",
    "POST /staff/faq/{entry}/check": "admin editor",
    "POST /staff/faq/{entry}": "admin editor",
    "GET /staff/new": "admin editor",
    "POST /staff/new": "admin editor",
    "POST /staff/new/start": "admin editor",
    "POST /staff/new/check": "admin editor",
    "GET /staff/unanswered": "admin care editor",
    "POST /staff/unanswered/preview": "admin editor",
    "POST /staff/unanswered/add": "admin editor",
    "POST /staff/unanswered/dismiss": "admin editor",
    "GET /staff/patients": "admin care",
    "GET /staff/patients/{number}": "admin care",
    "GET /staff/enrol": "admin care",
    "POST /staff/enrol": "admin care",
    "POST /staff/patients/{number}/procedures": "admin care",
    "POST /staff/patients/{number}/procedures/off": "admin care",
    "GET /staff/journey": "admin care editor",
    "GET /staff/deliveries": "admin care",
    "POST /staff/deliveries/held": "admin care",
    "GET /staff/figures": "admin care editor",
    "GET /staff/audit": "admin",
}
GUARDED = [route for route in ROUTES if route.roles is not None]
POSTS = [route for route in GUARDED if route.method == "POST"]
WRONG_ROLE = [(route, role) for route in GUARDED for role in NAMES if role not in (route.roles or ())]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def path(route: Route) -> str:
    return route.path.replace("{number}", "1").replace("{entry}", "swelling")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic(tmp_path_factory: pytest.TempPathFactory, faq: Faq) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path_factory.mktemp("doors"), Reader(faq)) as opened:
        yield opened


pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(clinic: Clinic) -> AsyncIterator[dict[str, Browser]]:
    """A logged-in browser of each role."""
    browsers = {role: Browser(clinic) for role in NAMES}
    for role, browser in browsers.items():
        assert await browser.log_in(role) == 303
    yield browsers
    for browser in browsers.values():
        await browser.http.close()


async def knock(browser: Browser, route: Route, csrf: str = "") -> tuple[int, str]:
    return await (browser.get(path(route)) if route.method == "GET" else browser.post(path(route), csrf))


async def test_every_route_is_known_here_with_its_roles() -> None:
    said = {name(route): " ".join(sorted(route.roles)) if route.roles else "everybody" for route in ROUTES}

    assert said == EXPECTED


async def test_the_server_has_no_staff_page_beside_the_table(clinic: Clinic) -> None:
    from aiohttp import web

    app = web.Application()
    clinic.staff_site.mount(app.router, ROUTES)
    served = {
        f"{route.method} {resource.canonical}"
        for resource in app.router.resources()
        for route in resource
        if route.method != "HEAD" and not resource.canonical.startswith("/staff/static")
    }

    assert served == {name(route) for route in ROUTES}


@pytest.mark.parametrize("route", GUARDED, ids=name)
async def test_without_a_session_nothing_opens(clinic: Clinic, route: Route) -> None:
    async with Browser(clinic) as stranger:
        status, text = await knock(stranger, route)

    assert (status, text) == (
        (303, "/staff/login") if route.method == "GET" else (403, "Please log in first.")
    )


@pytest.mark.parametrize("route", GUARDED, ids=name)
async def test_with_a_forged_cookie_nothing_opens(
    clinic: Clinic, keys: dict[str, Browser], route: Route
) -> None:
    real = keys["admin"].cookies[COOKIE]
    token, mac = real.split(".")
    other = Gate(clinic.store, b"another key of thirty-two bytes!", clinic.clock)
    forgeries = [
        f"{token}.{'0' * 64}",
        f"{token}",
        f"x{token}.{mac}",
        f".{mac}",
        "é.é",
        f"{token}.{other._mac('cookie', token)}",
    ]

    for forgery in forgeries:
        async with Browser(clinic) as forger:
            forger.plant(COOKIE, forgery)
            status, text = await knock(forger, route, keys["admin"].csrf)

            assert (status, text[:20]) == (
                (303, "/staff/login") if route.method == "GET" else (403, "Please log in first.")
            )


@pytest.mark.parametrize(("route", "role"), WRONG_ROLE, ids=lambda v: v if isinstance(v, str) else name(v))
async def test_with_another_role_nothing_opens(keys: dict[str, Browser], route: Route, role: str) -> None:
    status, text = await knock(keys[role], route, keys[role].csrf)

    assert status == 403
    assert "not for your role" in text


@pytest.mark.parametrize("route", POSTS, ids=name)
async def test_without_its_own_token_no_form_is_taken(keys: dict[str, Browser], route: Route) -> None:
    role = next(iter(sorted(route.roles or ())))
    others = next(browser.csrf for who, browser in keys.items() if who != role)

    for token in ("", "x", others, "0" * 64):
        status, text = await knock(keys[role], route, token)

        assert (status, text[:21]) == (403, "This form is too old.")


@pytest.mark.parametrize("route", POSTS, ids=name)
async def test_a_form_from_another_site_is_not_taken(keys: dict[str, Browser], route: Route) -> None:
    role = next(iter(sorted(route.roles or ())))
    browser = keys[role]

    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        async with browser.http.post(
            browser.clinic.url + path(route), data={"csrf": browser.csrf}, headers=headers
        ) as answer:
            assert answer.status == 403


@pytest.mark.parametrize(
    ("route", "role"),
    [
        (route, role)
        for route in GUARDED
        for role in sorted(route.roles or ())
        if route.path != "/staff/logout"
    ],
    ids=lambda v: v if isinstance(v, str) else name(v),
)
async def test_with_the_right_key_it_opens(keys: dict[str, Browser], route: Route, role: str) -> None:
    status, text = await knock(keys[role], route, keys[role].csrf)

    assert status in (200, 303, 400, 404, 422, 409), text[:300]
    assert text != "/staff/login"


@pytest.mark.parametrize("route", ROUTES, ids=name)
async def test_every_answer_carries_the_strict_headers(keys: dict[str, Browser], route: Route) -> None:
    browser = keys["admin"]
    if route.path == "/staff/logout":
        return
    async with browser.http.request(
        route.method, browser.clinic.url + path(route), data={"csrf": browser.csrf}, allow_redirects=False
    ) as answer:
        text = await answer.text()

        assert answer.headers["Content-Security-Policy"].startswith(
            "default-src 'none'; style-src 'self'; script-src 'self'"
        )
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=|javascript:", text)


async def test_cookies_are_for_our_pages_only(clinic: Clinic) -> None:
    async with Browser(clinic) as browser:
        await browser.log_in("care")
        [cookie] = [c for c in browser.http.cookie_jar if c.key == COOKIE]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/staff"


async def test_behind_https_cookies_stay_on_https(clinic: Clinic) -> None:
    from aiohttp import web

    response = web.Response()
    clinic.staff_site.secure = True
    try:
        clinic.staff_site.set_cookie(response, COOKIE, "x", clinic.staff_site.clock() - NOW)
    finally:
        clinic.staff_site.secure = False

    assert response.cookies[COOKIE]["secure"]


async def test_logging_in_gives_a_new_session_and_ends_the_old(clinic: Clinic) -> None:
    async with Browser(clinic) as browser, Browser(clinic) as thief:
        await browser.log_in("care")
        first = browser.cookies[COOKIE]
        await browser.post("/staff/logout")
        await browser.log_in("care")
        thief.plant(COOKIE, first)

        assert browser.cookies[COOKIE] != first
        assert (await thief.get("/staff/try")) == (303, "/staff/login")


async def test_a_planted_cookie_is_not_taken_over_at_log_in(clinic: Clinic) -> None:
    async with Browser(clinic) as victim:
        victim.plant(COOKIE, "planted.cookie")
        await victim.log_in("care")

        assert victim.cookies[COOKIE] != "planted.cookie"


async def test_a_session_ends_after_a_shift_unused_and_after_a_day_in_any_case(
    tmp_path: Path, faq: Faq
) -> None:
    async with open_clinic(tmp_path, Reader(faq)) as clinic, Browser(clinic) as idle, Browser(clinic) as busy:
        await idle.log_in("care")
        await busy.log_in("care")
        seen = []
        for _ in range(7):
            clinic.clock.forward(hours=4)
            seen.append((await busy.get("/staff/try"))[0])
            if len(seen) == 2:
                at_the_edge = (await idle.get("/staff/try"))[0]
        clinic.clock.now = NOW

    assert at_the_edge == 200
    assert seen == [200] * 6 + [303]


async def test_an_open_page_does_not_keep_a_session_alive(tmp_path: Path, faq: Faq) -> None:
    async with open_clinic(tmp_path, Reader(faq)) as clinic, Browser(clinic) as browser:
        await browser.log_in("care")
        for _ in range(9):
            clinic.clock.forward(hours=1)
            status, _ = await browser.get("/staff/pulse")

    assert status == 303


async def test_wrong_passwords_cost_more_and_more_patience(tmp_path: Path, faq: Faq) -> None:
    async with open_clinic(tmp_path, Reader(faq)) as clinic, Browser(clinic) as browser:
        tries = [await browser.log_in("care", "wrong wrong wrong") for _ in range(5)]
        throttled = await browser.log_in("care")
        clinic.clock.forward(seconds=14)
        still = await browser.log_in("care")
        clinic.clock.forward(seconds=1)
        free = await browser.log_in("care")

    assert tries == [401] * 5
    assert (throttled, still, free) == (429, 429, 303)


async def test_one_place_may_not_try_many_names(tmp_path: Path, faq: Faq) -> None:
    async with open_clinic(tmp_path, Reader(faq)) as clinic, Browser(clinic) as browser:
        tries = [await browser.log_in(f"name{i}", "wrong wrong wrong") for i in range(21)]

    assert tries == [401] * 20 + [429]


async def test_the_log_in_form_needs_its_own_token(clinic: Clinic) -> None:
    async with Browser(clinic) as browser:
        status, _ = await browser.post("/staff/login", "x", name="Cara", password="quiet sea stone")

    assert status == 403
    assert COOKIE not in browser.cookies


async def test_a_removed_account_is_out_at_once(tmp_path: Path, faq: Faq) -> None:
    async with open_clinic(tmp_path, Reader(faq)) as clinic, Browser(clinic) as browser:
        await browser.log_in("care")
        clinic.store.disable_account("Cara", NOW)

        assert (await browser.get("/staff/try"))[0] == 303
        assert await browser.log_in("care") == 401


async def test_whether_a_name_exists_is_not_told(clinic: Clinic) -> None:
    async with Browser(clinic) as browser:
        known, unknown = (
            await browser.log_in("admin", "wrong wrong"),
            await browser.log_in("nobody", "wrong wrong"),
        )

    assert known == unknown == 401


async def test_the_audit_trail_cannot_be_changed(clinic: Clinic) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    clinic.store.audit("Ada", "test", "", NOW)

    for sql in ("UPDATE audit SET who = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(SQLAlchemyError, match="only added"), clinic.store.write() as db:
            db.execute(text(sql))


async def test_log_ins_and_refused_ones_stand_in_the_audit_trail_without_passwords(
    tmp_path: Path, faq: Faq
) -> None:
    async with open_clinic(tmp_path, Reader(faq)) as clinic, Browser(clinic) as browser:
        await browser.log_in("my secret password typed as name", "wrong wrong")
        await browser.log_in("care", "wrong wrong")
        await browser.log_in("care")
        lines = [(line.who, line.what) for _, line in clinic.store.audit_lines()][::-1]

    assert lines == [("(unknown name)", "login.refused"), ("Cara", "login.refused"), ("Cara", "login")]


async def test_a_patients_words_are_drawn_as_words(tmp_path: Path, faq: Faq) -> None:
    async with open_clinic(tmp_path, Reader(faq)) as clinic, Browser(clinic) as browser:
        evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
        patient = Patient(Address("line", "U1"), language="en")
        await clinic.staff.alert(patient, OpenAlert("danger", "urgent", None, evil), (), NOW)
        await browser.log_in("care")
        _, inbox = await browser.get("/staff/")
        _, thread = await browser.get("/staff/threads/1")

    for page in (inbox, thread):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


async def test_a_note_to_the_next_page_cannot_be_forged(clinic: Clinic, keys: dict[str, Browser]) -> None:
    site = clinic.staff_site

    assert site.unsay(site.say("Saved, and live.")) == "Saved, and live."
    assert site.unsay("RXZpbA==." + "0" * 64) == ""
    assert site.unsay("") == ""
    assert KEY not in site.say("x").encode()
