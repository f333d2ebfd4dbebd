"""The local chat page in a real headless Chromium, against the real program: the main job as a person does it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.helpers import CACHE, ROOT, shipped_text, understander

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; CI installs one"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Program:
    """`smileline run` as a process of its own, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "SMILELINE_HTTP": f"127.0.0.1:{self.port}",
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot", "run"], cwd=self.folder, env=env, stdout=log, stderr=log
            )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)  # a process of its own can only be asked
        raise AssertionError("the program did not start")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    understander()
    folder = tmp_path_factory.mktemp("page")
    (folder / "faq.yaml").write_text(shipped_text(), encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data" / "cache").symlink_to(CACHE)
    started = Program(folder)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def page(program: Program, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
    opened = context.new_page()
    opened.goto(program.url)
    expect(opened.locator(".row.bot").first).to_be_visible()
    yield opened
    context.close()


def say(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")


def last(page: Page) -> str:
    return page.locator(".row.bot .bubble").last.inner_text()


def test_a_patient_asks_reports_a_fever_gives_a_date_and_sees_the_reminders(page: Page) -> None:
    say(page, "can I have a glass of wine tonight?")
    expect(page.locator(".row.bot").last).to_contain_text("Source:")

    say(page, "I have a fever of 38.9 and shivering")
    expect(page.locator(".row.bot").filter(has_text="Call the clinic now: +00 000 0001")).to_be_visible()

    say(page, "3 days ago")
    page.get_by_role("button", name="I agree").click()
    expect(page.locator(".row.bot").last).to_contain_text("day 3")

    page.get_by_role("button", name="My reminders").last.click()
    expect(page.locator(".row.bot").last).to_contain_text(re.compile(r"\d\d:00"))


def test_buttons_and_date_picker_work(page: Page) -> None:
    page.get_by_role("button", name="My procedure date").click()
    page.locator("input[type=date]").fill(time.strftime("%Y-%m-%d"))

    expect(page.get_by_role("button", name="I agree")).to_be_visible()


def test_what_was_said_is_there_after_a_reload(page: Page) -> None:
    say(page, "does smoking matter?")
    expect(page.locator(".row.bot").last).to_contain_text("Source:")

    page.reload()

    expect(page.locator(".row.me").filter(has_text="does smoking matter?")).to_be_visible()


def test_html_and_right_to_left_text_are_shown_as_text(page: Page) -> None:
    say(page, "<img src=x onerror=alert(1)> שלום ‮abc")

    expect(page.locator(".row.me").last).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("#log img").count() == 0


def test_a_message_of_64_kilobytes_gets_a_kind_reply(page: Page) -> None:
    page.evaluate("() => socket.send(JSON.stringify({text: 'x'.repeat(65536)}))")

    expect(page.locator(".row.bot").last).to_contain_text("shorter")


def test_frames_that_are_not_ours_are_dropped_and_the_page_goes_on(page: Page) -> None:
    for frame in ("", "{", "[]", "null", '{"text": 5}', '{"action": {"a": 1}}', "[" * 5000):
        page.evaluate("frame => socket.send(frame)", frame)
    say(page, "hello")

    expect(page.locator(".row.me").last).to_contain_text("hello")
    expect(page.locator(".row.bot")).not_to_have_count(2)


def test_a_saved_faq_is_live_and_a_broken_one_is_not(page: Page, program: Program) -> None:
    faq = program.folder / "faq.yaml"
    entry = (
        shipped_text()
        .split("  - id: alcohol\n")[1]
        .split("answer:\n      en: |-\n")[1]
        .split("\n")[0]
        .strip()
    )

    faq.write_text(shipped_text().replace(entry, "Wine can wait: this is the new text."), encoding="utf-8")
    expect_answer(page, "can I drink alcohol?", "this is the new text")

    faq.write_text(shipped_text().replace("urgency: routine", "urgency: rutine"), encoding="utf-8")
    expect_answer(page, "can I drink alcohol?", "this is the new text")
    faq.write_text(shipped_text(), encoding="utf-8")


def expect_answer(page: Page, question: str, words: str) -> None:
    """Ask until the answer holds `words`; saving takes effect within two seconds."""
    for _ in range(20):
        count = page.locator(".row.bot").count()
        say(page, question)
        expect(page.locator(".row.bot")).not_to_have_count(count)
        if words in last(page):
            return
        page.wait_for_timeout(200)
    raise AssertionError(last(page))


def test_a_stranger_without_the_cookie_cannot_open_the_chat(program: Program) -> None:
    request = urllib.request.Request(
        f"{program.url}/chat/ws", headers={"Upgrade": "websocket", "Connection": "Upgrade"}
    )

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)

    assert caught.value.code == 403
    caught.value.close()


def test_the_page_comes_back_after_the_program_was_killed(page: Page, program: Program) -> None:
    program.stop(signal.SIGKILL)
    expect(page.locator("#state")).to_contain_text("connection lost")

    program.start()

    expect(page.locator("#state")).to_contain_text("here day and night", timeout=20_000)
    say(page, "how long does swelling last")
    expect(page.locator(".row.bot").last).to_contain_text("Source:")
