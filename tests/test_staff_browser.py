"""The staff page as staff use it, in a real browser against the whole product: log in, care for a patient, mend an answer.

Screenshots go to the folder SMILELINE_SHOTS when it is set.
"""

import base64
import datetime as dt
import io
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

from bot.app import App
from bot.config import Settings
from bot.core.reminders import plan
from bot.core.values import Address, Learned, Line
from bot.core.wording import Wording
from bot.staff.accounts import add_account
from tests import helpers
from tests.helpers import shipped_text
from tests.staff_site import PASSWORD

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS = os.environ.get("SMILELINE_SHOTS")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

WAIT = 120_000  # milliseconds; a busy machine fails nothing
expect.set_options(timeout=WAIT)
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[App]:
    """The whole product on a free port, with no messenger but the chat page."""
    helpers.understander()  # trained once for the run
    (folder / "data").mkdir()
    (folder / "data" / "cache").symlink_to(helpers.CACHE)
    (folder / "faq.yaml").write_text(shipped_text(), encoding="utf-8")
    settings = Settings(
        faq=folder / "faq.yaml",
        data_dir=folder / "data",
        database_url=f"sqlite:///{folder}/data/s.db",  # type: ignore[arg-type]
        http="127.0.0.1:0",
        telegram_token=None,
        line_token=None,
        line_secret=None,
    )
    app = App(settings)
    for name, role in (("Nurse Kim", "care"), ("Ada Admin", "admin"), ("Eda Editor", "editor")):
        add_account(app.store, name, role, PASSWORD, app.clock())
    async with app.running():
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with running(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def chromium(started: Browser) -> AsyncIterator[Browser]:
    """One browser for all tests; what each opened is closed behind it."""
    yield started
    for context in started.contexts:
        await context.close()


async def person(
    chromium: Browser, size: dict[str, int], complaints: list[str] | None = None, locale: str = "en-GB"
) -> Page:
    """Somebody with a browser of their own; what their console complains about is kept."""
    context = await chromium.new_context(viewport=size, locale=locale)  # type: ignore[arg-type]
    page = await context.new_page()
    page.set_default_timeout(WAIT)
    if complaints is not None:
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


async def log_in(page: Page, app: App, name: str) -> None:
    await page.goto(f"{app.web.address}/staff/")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()


async def chat(chromium: Browser, app: App, *words: str) -> Page:
    """A patient on the chat page who says `words`, each after the answer to the one before."""
    page = await person(chromium, PHONE)
    await page.goto(app.web.address)
    await expect(page.locator(".row.bot").first).to_be_visible()
    for text in words:
        await say(page, text)
    return page


async def say(page: Page, text: str) -> None:
    before = await page.locator(".row.bot").count()
    await page.locator("#text").fill(text)
    await page.locator("#send").click()
    await expect(page.locator(".row.bot").nth(before)).to_be_visible()


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def a_photo(name: str, color: str, folder: Path) -> Path:
    """A picture as a telephone takes it: large, and with the place in it."""
    exif = Image.Exif()
    exif[0x8825] = {2: (35.0, 41.0, 0.0)}
    Image.linear_gradient("L").resize((3000, 2000)).convert("RGB").save(folder / name, exif=exif)
    picture = Image.open(folder / name)
    Image.blend(picture, Image.new("RGB", picture.size, color), 0.6).save(folder / name, exif=exif)
    return folder / name


async def drawn(page: Page, selector: str) -> None:
    """Every picture there has really been loaded."""
    images = page.locator(selector)
    await expect(images.last).to_be_visible()
    await page.wait_for_function(
        "s => [...document.querySelectorAll(s)].every(i => i.complete && i.naturalWidth > 20)", arg=selector
    )


async def test_patient_and_nurse_show_each_other_pictures(
    app: App, chromium: Browser, tmp_path: Path
) -> None:
    complaints: list[str] = []
    patient = await person(chromium, PHONE, complaints)
    await patient.goto(app.web.address)
    await expect(patient.locator(".row.bot").first).to_be_visible()
    async with patient.expect_file_chooser() as choosing:
        await patient.get_by_role("button", name="Send a photo").press("Enter")
    chooser = await choosing.value
    await chooser.set_files(a_photo("cheek.jpg", "salmon", tmp_path))
    await heard(patient, "I cannot judge pictures, but a person at the clinic can.")
    await drawn(patient, ".row.me .picture img")
    assert app.store.recent_threads() == []  # nothing is kept while nobody was called

    nurse = await person(chromium, DESKTOP, complaints)
    await log_in(nurse, app, "Nurse Kim")
    await patient.get_by_role("button", name="Talk to a person").last.click()
    await expect(nurse.locator(".card.alert.unread")).to_be_visible(timeout=15_000)
    await nurse.locator(".card.alert").click()
    await drawn(nurse, ".pictures img")
    await nurse.get_by_label("Your words to the patient").fill("Hold it like this.")
    await nurse.get_by_label("Photo").set_input_files(a_photo("hold.jpg", "seagreen", tmp_path))
    await shot(nurse, "thread-photo-desktop")
    await nurse.get_by_role("button", name="Send to the patient").click()
    await heard(patient, "Hold it like this.")
    await drawn(patient, ".row.bot .picture img")
    await expect(patient.get_by_alt_text("Photo from the clinic")).to_be_visible()
    await patient.locator("#file").set_input_files(a_photo("cheek2.jpg", "salmon", tmp_path))
    await expect(nurse.locator(".pictures img")).to_have_count(3, timeout=15_000)
    await drawn(nurse, ".pictures img")
    await shot(nurse, "thread-pictures-desktop")
    await shot(patient, "chat-pictures-phone")
    await patient.locator("#file").set_input_files(
        {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    )
    await heard(patient, "I cannot open this file.")
    assert [text for text in complaints if "415" not in text] == []

    await nurse.get_by_role("button", name="Hand back to the bot").click()
    await heard(patient, "I, the program, am back.")
    await say(patient, "/delete")
    await patient.get_by_role("button", name="Yes").last.click()
    await heard(patient, "deleted")
    await expect(patient.locator(".row.me")).to_have_count(0)
    await patient.reload()
    await heard(patient, "deleted")
    assert await patient.locator(".picture").count() == 0
    assert app.store.recent_threads() == []


LOCALES = {
    "en-GB": ("I have a fever of 39.5 and pus is coming out", "How long does swelling last?"),
    "ja-JP": ("39.5度の熱があって膿が出ています", "腫れはいつまで続きますか"),
    "ko-KR": ("열이 39.5도이고 고름이 나와요", "붓기는 얼마나 가나요"),
    "zh-CN": ("我发烧39.5度，伤口流脓", "肿多久能消"),
    "zh-TW": ("我發燒39.5度，傷口流膿", "腫多久會消"),
}


@pytest.mark.parametrize("width", ["phone", "desktop"])
async def test_the_chat_page_fits_its_screen_in_every_language(
    app: App, chromium: Browser, tmp_path: Path, width: str
) -> None:
    complaints: list[str] = []
    photo = a_photo("cheek.jpg", "salmon", tmp_path)
    for locale, (danger, question) in LOCALES.items():
        patient = await person(chromium, PHONE if width == "phone" else DESKTOP, complaints, locale)
        await patient.goto(app.web.address)
        await expect(patient.locator(".row.bot .buttons").first).to_be_visible()
        words = Wording(app.faq.current.faq, locale[:2], locale == "zh-TW")

        await say(patient, question)
        await shot(patient, f"chat-{locale}-{width}")
        await say(patient, danger)
        await heard(patient, words("alert_not_sent"))
        await patient.locator("#file").set_input_files(photo)
        await heard(patient, words("unsupported_photo"))
        await drawn(patient, ".picture img")
        await shot(patient, f"chat-danger-{locale}-{width}")

        await expect(patient.get_by_alt_text(words("page_photo_mine"))).to_be_visible()
        await expect(patient.get_by_role("button", name=words("page_photo"))).to_be_visible()
        await expect(patient.get_by_role("textbox", name=words("page_type"))).to_be_visible()
        assert await patient.evaluate("document.documentElement.scrollWidth <= innerWidth"), locale
        assert await patient.locator("#log").evaluate("e => e.scrollWidth <= e.clientWidth"), locale
        await patient.context.close()
    assert complaints == []


SHRUNK = """async (base64) => {
  const taken = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const made = await smaller(new Blob([taken], { type: "image/jpeg" }));
  return btoa(String.fromCharCode(...new Uint8Array(await made.arrayBuffer())));
}"""


async def test_a_picture_leaves_the_telephone_small_and_without_its_place(
    app: App, chromium: Browser, tmp_path: Path
) -> None:
    taken = a_photo("cheek.jpg", "salmon", tmp_path).read_bytes()
    assert Image.open(io.BytesIO(taken)).getexif().get_ifd(0x8825)
    patient = await chat(chromium, app)

    sent = base64.b64decode(await patient.evaluate(SHRUNK, base64.b64encode(taken).decode()))

    assert len(sent) < len(taken)
    assert Image.open(io.BytesIO(sent)).size == (2048, 1365)
    assert dict(Image.open(io.BytesIO(sent)).getexif()) == {}


async def heard(page: Page, text: str) -> None:
    await expect(page.locator(".row.bot", has_text=text).last).to_be_visible()


async def test_an_alert_is_handled_to_its_end(app: App, chromium: Browser) -> None:
    complaints: list[str] = []
    nurse = await person(chromium, DESKTOP, complaints)
    await log_in(nurse, app, "Nurse Kim")
    patient = await chat(chromium, app, "is swelling normal", "I have a fever of 39.5 and pus is coming out")
    await heard(patient, "I have alerted the clinic's staff.")

    await expect(nurse.locator(".card.alert.unread")).to_be_visible(timeout=15_000)
    await shot(nurse, "inbox-desktop")
    await nurse.locator(".card.alert").click()
    await shot(nurse, "thread-unread-desktop")
    await nurse.get_by_role("button", name="I have read it").click()
    await heard(patient, "Nurse Kim of the clinic read this at")
    await nurse.get_by_label("Your words to the patient").fill(
        "Please come to the clinic now, we expect you."
    )
    await nurse.get_by_role("button", name="Send to the patient").click()
    await heard(patient, "Please come to the clinic now, we expect you.")
    await heard(patient, "A person from the clinic is writing to you now.")
    await patient.locator("#text").fill("on my way")
    await patient.locator("#send").click()
    await expect(nurse.locator(".line.patient", has_text="on my way")).to_be_visible(timeout=15_000)
    await shot(nurse, "thread-talk-desktop")
    await shot(patient, "chat-relay-phone")
    await nurse.get_by_role("button", name="Hand back to the bot").click()
    await heard(patient, "I, the program, am back.")
    await nurse.get_by_label("Reason for closing").select_option("visit")
    await nurse.get_by_role("button", name="Close", exact=True).click()
    await heard(patient, "The clinic has closed this alert.")
    await nurse.goto(f"{app.web.address}/staff/")

    await expect(nurse.get_by_text("No open alerts.")).to_be_visible()
    assert app.store.open_alerts() == []
    assert complaints == []


async def test_a_visit_is_asked_for_and_confirmed(app: App, chromium: Browser) -> None:
    nurse = await person(chromium, PHONE)
    await log_in(nurse, app, "Nurse Kim")
    patient = await chat(chromium, app)
    await app.webchat.pressed(*await _chat_of(patient), "Book", "en")
    await heard(patient, "Which day and time suit you")
    await say(patient, "I would like to book a visit on Monday at 5 pm")
    await heard(patient, "I have passed your request on.")

    await nurse.goto(f"{app.web.address}/staff/visits")
    await shot(nurse, "visits-phone")
    await nurse.get_by_role("button", name="Confirm as asked").click()
    await heard(patient, "Your visit is confirmed: “I would like to book a visit on Monday at 5 pm”")
    await nurse.locator("summary").click()
    await nurse.get_by_label("New day and time").fill("Tue 24 Nov, 10:30")
    await nurse.get_by_role("button", name="Move", exact=True).click()

    await heard(patient, "Your visit has been moved to Tue 24 Nov, 10:30.")
    await shot(nurse, "visits-decided-phone")


async def _chat_of(page: Page) -> tuple[str, str]:
    [cookie] = [c for c in await page.context.cookies() if c["name"] == "smileline_chat"]
    return str(cookie["value"]), "book"


async def test_an_answer_is_mended_and_live_in_the_chat(app: App, chromium: Browser) -> None:
    complaints: list[str] = []
    editor = await person(chromium, DESKTOP, complaints)
    await log_in(editor, app, "Eda Editor")
    await expect(editor.get_by_role("heading", name="FAQ")).to_be_visible()
    await editor.get_by_label("Search the entries").fill("makeup")
    await editor.locator("a[href='/staff/faq/makeup']").click()
    await editor.get_by_label("Label on buttons").fill("Make-up and creams, much too long")
    answer = editor.get_by_label("Answer")
    words = await answer.input_value()
    await answer.fill("You may wear make-up again, MENDED.\n" + words)

    await expect(editor.locator(".phone.telegram .said")).to_contain_text("MENDED")
    await shot(editor, "entry-desktop")
    await editor.get_by_role("button", name="Save and serve").click()
    await expect(editor.get_by_text("Saved, and live.")).to_be_visible()
    patient = await chat(chromium, app)
    await app.webchat.pressed((await _chat_of(patient))[0], "entry:makeup", "Make-up", "en")

    await heard(patient, "You may wear make-up again, MENDED.")
    assert complaints == []
    [line] = [line for _, line in app.store.audit_lines() if line.what == "faq.edited"]
    assert (line.who, line.subject, line.detail) == ("Eda Editor", "makeup", "en: label, answer")


async def test_what_cannot_go_live_is_said_while_typing_and_never_saved(app: App, chromium: Browser) -> None:
    editor = await person(chromium, DESKTOP)
    await log_in(editor, app, "Eda Editor")
    await editor.goto(f"{app.web.address}/staff/faq/makeup")
    before = app.settings.faq.read_bytes()
    await editor.get_by_label("Answer").fill("Ask {nobody} about it.")
    await expect(editor.locator("#problems li").first).to_contain_text(
        'makeup.answer.en: the placeholder "nobody"'
    )
    await expect(editor.get_by_text("No warnings.")).to_be_hidden()
    await shot(editor, "entry-problem-desktop")

    await editor.get_by_role("button", name="Save and serve").click()

    await expect(editor.get_by_role("alert")).to_contain_text("cannot go live")
    await expect(editor.get_by_label("Answer")).to_have_value("Ask {nobody} about it.")
    assert app.settings.faq.read_bytes() == before


async def test_an_answer_is_previewed_as_it_is_on_a_recovery_day(app: App, chromium: Browser) -> None:
    editor = await person(chromium, PHONE)
    await log_in(editor, app, "Eda Editor")
    await editor.goto(f"{app.web.address}/staff/faq/swelling")
    window = app.faq.current.faq.entries["swelling"].by_day[0].text["en"]
    await expect(editor.locator("#preview .phone.line")).not_to_contain_text(window)

    await editor.get_by_label("Preview on recovery day").fill("2")

    for messenger in ("telegram", "line"):
        await expect(editor.locator(f"#preview .phone.{messenger}")).to_contain_text(window)
    await editor.get_by_role("group", name="Window 1").get_by_label("What holds then").fill("WINDOW mended.")
    await expect(editor.locator("#preview .phone.line")).to_contain_text("WINDOW mended.")
    await editor.get_by_text("About the entry").click()
    await editor.get_by_role("combobox", name="Urgency", exact=True).select_option("call")
    await shot(editor, "entry-day-phone")
    wide = await editor.evaluate("document.documentElement.scrollWidth")
    await editor.get_by_role("button", name="Save and serve").click()
    await expect(editor.get_by_text("Saved, and live.")).to_be_visible()

    entry = app.faq.current.faq.entries["swelling"]
    assert (entry.urgency, entry.by_day[0].text["en"]) == ("call", "WINDOW mended.")
    assert wide <= PHONE["width"]


async def test_two_people_edit_at_once_and_nothing_is_lost(app: App, chromium: Browser) -> None:
    first, second = await person(chromium, DESKTOP), await person(chromium, DESKTOP)
    for page, name in ((first, "Eda Editor"), (second, "Ada Admin")):
        await log_in(page, app, name)
        await page.goto(f"{app.web.address}/staff/faq/makeup")
        await page.get_by_label("Answer").fill(f"Words of {name}.")
    await first.get_by_role("button", name="Save and serve").click()
    await expect(first.get_by_text("Saved, and live.")).to_be_visible()

    await second.get_by_role("button", name="Save and serve").click()

    await expect(second.get_by_role("alert")).to_contain_text("changed by somebody else")
    await expect(second.get_by_label("Answer")).to_have_value("Words of Ada Admin.")
    assert "Words of Eda Editor." in app.settings.faq.read_text(encoding="utf-8")


QUESTIONS = {
    "en": "my temples hurt when I smile",
    "ja": "笑うとこめかみが痛いです",
    "ko": "웃을 때 관자놀이가 아파요",
    "zh": "笑的时候太阳穴疼",
}


@pytest.mark.parametrize("language", QUESTIONS)
async def test_a_question_is_tried_in_every_language(app: App, chromium: Browser, language: str) -> None:
    if language not in app.faq.current.faq.languages:
        pytest.skip(f"faq.yaml has no {language} yet")
    page = await person(chromium, PHONE)
    await log_in(page, app, "Eda Editor")
    await page.goto(f"{app.web.address}/staff/try")

    await page.get_by_label("As a patient would write it").fill(QUESTIONS[language])
    await page.get_by_role("button", name="Try", exact=True).click()

    await expect(page.locator("#result")).to_be_visible()
    await expect(page.locator("#result table tbody tr").first).to_be_visible()
    await expect(page.locator(".why li").first).to_be_visible()
    await shot(page, f"try-{language}-phone")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def settle_in(app: App) -> None:
    """A patient with a journey, questions without an answer, a visit, and verdicts on an answer."""
    now, store, faq = app.clock(), app.store, app.faq.current.faq
    date = now.date() - dt.timedelta(days=5)
    anna = store.give_consent(Address("line", "U1"), now - dt.timedelta(days=5), "ja")
    assert anna.id
    planned = plan(faq.file.reminders.steps, date, faq.clinic.timezone)
    store.set_procedure_date(anna.id, date, planned, now - dt.timedelta(days=5))
    questions = (
        ("can I play the trumpet", "en"),
        ("When may I play trumpet again?", "en"),
        ("アートメイクはいつから", "ja"),
    )
    for i, (text, language) in enumerate(questions):
        store.record_unanswered(text, language, ("sport", "massage"), anna.id, now - dt.timedelta(hours=i))
    store.keep_answered(Learned(1, "フルートはいつから", "2週間後からどうぞ。"), "ja", anna.id, now)
    thread = store.thread_of(anna.address, now, "ja")
    store.request_appointment(thread.id, "火曜日の午後3時、頬のくぼみを見てほしいです", now)
    for helpful in (True, True, False):
        store.count_feedback("swelling", helpful, now.date())


@pytest.mark.parametrize("width", ["phone", "desktop"])
async def test_every_page_fits_its_screen(app: App, chromium: Browser, width: str) -> None:
    complaints: list[str] = []
    page = await person(chromium, PHONE if width == "phone" else DESKTOP, complaints)
    settle_in(app)
    await log_in(page, app, "Ada Admin")
    patient = await chat(chromium, app, "I have a fever of 39.5 and pus is coming out")
    await heard(patient, "I have alerted the clinic")
    places = ("", "visits", "patients", "try", "faq", "faq/swelling?lang=ja", "new", "unanswered", "journey?lang=ko",
              "deliveries", "figures", "audit", "threads/2", "patients/1")  # fmt: skip

    for place in places:
        answer = await page.goto(f"{app.web.address}/staff/{place}")
        assert answer
        assert answer.status == 200, place
        await shot(page, f"page-{place.split('?')[0].replace('/', '-') or 'inbox'}-{width}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place

    assert complaints == []


@pytest.mark.parametrize("width", ["phone", "desktop"])
async def test_check_ins_are_drawn_by_recovery_day(app: App, chromium: Browser, width: str) -> None:
    complaints: list[str] = []
    settle_in(app)
    now = app.clock()
    date = now.date() - dt.timedelta(days=33)
    app.store.set_procedure_date(1, date, [], now)
    given = (
        ("day_1", "moderate", 1),
        ("day_3", "same", 3),
        ("day_7", "moderate", 7),
        ("day_14", "none", 14),
        ("day_30", "worried", 30),
    )
    for step, answer, day in given:
        app.store.keep_check_in(1, step, date, answer, now - dt.timedelta(days=33 - day))
    page = await person(chromium, PHONE if width == "phone" else DESKTOP, complaints)
    await log_in(page, app, "Nurse Kim")

    await page.goto(f"{app.web.address}/staff/patients/1")
    await shot(page, f"check-ins-{width}")
    chart = page.get_by_role("img", name="Check-ins by recovery day")
    boxes = [await mark.bounding_box() for mark in await chart.locator("g.mark").all()]

    lefts = [box["x"] for box in boxes if box]
    assert len(lefts) == 5
    assert lefts == sorted(set(lefts))
    assert await chart.locator("g.worry").count() == 2
    assert await chart.locator("text.row").first.evaluate("e => e.getBoundingClientRect().height") > 8
    fill = "e => getComputedStyle(e).fill"
    calm, worry = chart.locator("g.mark").first, chart.locator("g.worry").first
    assert await calm.evaluate(fill) != await worry.evaluate(fill)
    await expect(page.locator(".check-ins li").first).to_contain_text("something worries them")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []


async def test_an_unanswered_question_becomes_a_phrasing_after_its_effect_was_seen(
    app: App, chromium: Browser
) -> None:
    settle_in(app)
    page = await person(chromium, DESKTOP)
    await log_in(page, app, "Eda Editor")
    await page.goto(f"{app.web.address}/staff/unanswered")
    card = page.locator(".card", has_text="trumpet").first
    await card.get_by_label("Entry").select_option("makeup")
    await card.get_by_role("button", name="See what it changes").click()
    await expect(page.get_by_role("heading", name="What this would change")).to_be_visible()
    await shot(page, "effect-desktop")
    before = app.settings.faq.read_text(encoding="utf-8")

    await page.get_by_role("button", name="Add it, and serve").click()

    await expect(page.get_by_text("and live.")).to_be_visible()
    after = app.settings.faq.read_text(encoding="utf-8")
    added = set(after.splitlines()) - set(before.splitlines())
    assert len(added) == 1
    assert "trumpet" in added.pop()


NEW = {
    "en": ("Trumpet", "Can I play the trumpet?", "Wait two weeks before you play the trumpet."),
    "ja": ("トランペット", "トランペットはいつから吹けますか", "2週間は吹かずにお待ちください。"),
    "ko": ("트럼펫", "트럼펫은 언제부터 불 수 있나요", "2주 동안은 불지 말아 주세요."),
    "zh": ("吹小号", "什么时候可以吹小号", "请等两周再吹小号。"),
}


@pytest.mark.parametrize("width", ["phone", "desktop"])
async def test_a_question_becomes_a_new_entry_that_answers_in_the_chat(
    app: App, chromium: Browser, width: str
) -> None:
    complaints: list[str] = []
    settle_in(app)
    page = await person(chromium, PHONE if width == "phone" else DESKTOP, complaints)
    await log_in(page, app, "Eda Editor")
    await page.goto(f"{app.web.address}/staff/unanswered")
    card = page.locator(".card", has_text="trumpet").first
    await card.get_by_role("button", name="Start a new entry").click()
    await expect(page.get_by_role("group", name="English").get_by_label("Questions")).to_have_value(
        re.compile("trumpet")
    )
    for code, (label, questions, answer) in NEW.items():
        part = page.locator(f"fieldset[data-lang={code}]")
        await part.get_by_label("Label").fill(label)
        await part.get_by_label("Questions").fill(questions)
        await part.get_by_label("Answer").fill(answer)
    await expect(page.locator("#preview .said").first).to_contain_text("请等两周再吹小号。")
    await page.get_by_label("Group").select_option("aftercare")
    await shot(page, f"new-typed-{width}")
    await page.get_by_role("button", name="See what it changes").click()
    await expect(page.locator("#effect tr", has_text="Can I play the trumpet?")).to_contain_text(
        "answer: trumpet"
    )
    await shot(page, f"new-effect-{width}")
    await page.get_by_role("button", name="Add it, and serve").click()
    await expect(page.get_by_text("Added, and live.")).to_be_visible()
    await shot(page, f"new-added-{width}")

    patient = await chat(chromium, app, "can I play the trumpet?")
    await heard(patient, "Wait two weeks before you play the trumpet.")
    await say(patient, "什么时候可以吹小号？")
    await heard(patient, "请等两周再吹小号。")
    assert complaints == []
    assert not any("trumpet" in question.text for question in app.store.questions())


async def test_a_colleagues_answer_is_kept_for_the_faq_from_the_conversation(
    app: App, chromium: Browser
) -> None:
    settle_in(app)
    thread = app.store.thread_at(Address("line", "U1"))
    assert thread
    talk = [
        Line(app.clock(), "patient", "吹奏楽はいつから"),
        Line(app.clock(), "staff", "2週間後からです。", "Nurse Kim"),
    ]
    app.store.add_lines(thread.id, talk, app.clock())
    nurse = await person(chromium, PHONE)
    await log_in(nurse, app, "Nurse Kim")
    await nurse.goto(f"{app.web.address}/staff/threads/{thread.id}")
    await shot(nurse, "thread-keep-phone")

    await nurse.get_by_role("button", name="Keep for the FAQ").click()

    await expect(nurse.get_by_text("Kept. It stands under Unanswered")).to_be_visible()
    await nurse.goto(f"{app.web.address}/staff/unanswered")
    await expect(nurse.locator(".card", has_text="吹奏楽はいつから")).to_contain_text("2週間後からです。")
