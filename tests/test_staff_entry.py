"""What an entry has beside its words, edited on the staff page: one entry changes, all else stays to the byte."""

import datetime as dt
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from bot.staff.entrydraft import Draft
from bot.staff.entryfields import DayWindow, set_field, set_windows
from bot.staff.saving import EditRefused
from intents.faq import Faq, FaqProblems, load
from tests.small_faq import small_text
from tests.staff_site import Browser, Clinic, Reader, open_clinic, page_of
from tests.test_faqfile import LANGUAGES, differing

pytestmark = pytest.mark.slow  # each edit reads the file four times

TODAY = dt.date(2026, 11, 23)


def as_it_is(faq: Faq, entry: str = "swelling") -> list[DayWindow]:
    return [
        DayWindow(str(w.first), None if w.last is None else str(w.last), w.urgency, {}, number)
        for number, w in enumerate(faq.entries[entry].by_day)
    ]


# --- the file


@pytest.mark.parametrize(
    ("field", "value", "lines"),
    [
        ("urgency", "call", ["-    urgency: routine", "+    urgency: call"]),
        ("group", "choosing", ["-    group: side_effects", "+    group: choosing"]),
        ("sources", ["S2", "S1"], ["-    sources: [S1, S2]", "+    sources: [S2, S1]"]),
        ("sources", [], ["-    sources: [S1, S2]"]),
        ("see_also", ["cost", "alcohol"], ["-    see_also: []", "+    see_also: [cost, alcohol]"]),
        ("beyond", "true", ["+    beyond: true"]),
        ("threshold", "0.6", ["+    threshold: 0.6"]),
    ],
)
def test_a_field_changes_its_line_and_no_other(field: str, value: str | list[str], lines: list[str]) -> None:
    new = set_field(small_text(), "swelling", field, value)

    assert differing(small_text(), new) == lines


def test_what_was_put_in_is_taken_out_again_to_the_byte() -> None:
    new = small_text()
    for field, value in (("beyond", "true"), ("threshold", "0.6")):
        new = set_field(new, "swelling", field, value)
    for field in ("beyond", "threshold"):
        new = set_field(new, "swelling", field, "")

    assert new == small_text()


def test_what_may_not_go_live_is_refused_with_words() -> None:
    for field, value, why in (
        ("threshold", "often", "a number from 0 to 1"),
        ("urgency", "soon", '"routine", "call", "urgent" or "emergency"'),
        ("see_also", ["swelling"], "names the entry itself"),
        ("sources", ["S99"], "is not known"),
    ):
        with pytest.raises(FaqProblems, match=why):
            set_field(small_text(), "swelling", field, value)  # type: ignore[arg-type]


def test_windows_as_they_are_change_no_byte() -> None:
    assert set_windows(small_text(), "swelling", as_it_is(load(small_text()))) == small_text()


def test_a_windows_words_in_one_language_change_that_line() -> None:
    windows = as_it_is(load(small_text()))
    windows[0] = replace(windows[0], texts={"ko": "새 문장이에요."})
    new = set_windows(small_text(), "swelling", windows)

    assert differing(small_text(), new)[1:] == ['+          ko: "새 문장이에요."']


def test_the_first_window_of_an_entry_stands_behind_its_answer() -> None:
    window = DayWindow("0", None, "call", dict.fromkeys(LANGUAGES, "Short words."))
    new = set_windows(small_text(), "cost", [window])

    added = [f'+          {code}: "Short words."' for code in LANGUAGES]
    head = ["+    by_day:", "+      - first: 0", "+        urgency: call", "+        text:"]
    assert differing(small_text(), new) == [*head, *added]
    keys = re.findall(r"^    (\w+):", new[new.index("- id: cost") :], re.M)
    assert keys.index("by_day") == keys.index("answer") + 1
    assert set_windows(new, "cost", []) == small_text()


def test_windows_that_somebody_took_out_meanwhile_are_told() -> None:
    with pytest.raises(EditRefused, match="changed by somebody else"):
        set_windows(small_text(), "cost", [DayWindow("0", None, "routine", {}, 0)])


# --- the form


def drafted(**form: str) -> tuple[Draft, Faq]:
    faq = load(small_text())
    return Draft.typed(WORDS | form, faq.entries["swelling"], "en", faq), faq


_SWELLING = load(small_text()).entries["swelling"]
WORDS = {
    "label": _SWELLING.label["en"],
    "answer": _SWELLING.answer["en"],
    "questions": "\n".join(_SWELLING.questions["en"]),
}
WINDOWS = {"windows": str(len(_SWELLING.by_day))} | {
    f"w{n}_{key}": value
    for n, w in enumerate(_SWELLING.by_day)
    for key, value in (("first", str(w.first)), ("urgency", w.urgency), ("text", w.text["en"]))
}
ABOUT = {
    "about": "1", "group": _SWELLING.group, "urgency": _SWELLING.urgency, "source_S1": "on", "source_S2": "on",
}  # fmt: skip


@pytest.mark.parametrize("form", [{}, WINDOWS, ABOUT, WINDOWS | ABOUT])
def test_a_form_as_it_was_opened_changes_nothing(form: dict[str, str]) -> None:
    draft, faq = drafted(**form)

    assert draft.changed(Draft.of(faq.entries["swelling"], "en")) == []
    assert draft.into(small_text(), faq.entries["swelling"], "en", TODAY) == small_text()


def becomes(**form: str) -> Faq:
    draft, faq = drafted(**form)
    return load(draft.into(small_text(), faq.entries["swelling"], "en", TODAY))


def days(faq: Faq) -> list[tuple[int, int | None]]:
    return [(window.first, window.last) for window in faq.entries["swelling"].by_day]


def test_a_window_that_begins_later_makes_the_one_before_longer() -> None:
    assert days(becomes(**WINDOWS)) == [(0, 3), (4, 9), (10, 14), (15, None)]
    assert days(becomes(**WINDOWS | {"w1_first": "06"})) == [(0, 5), (6, 9), (10, 14), (15, None)]


def test_a_new_window_stands_in_its_place_in_every_language() -> None:
    texts = {f"new_text_{code}": f"Words {code}." for code in LANGUAGES}
    after = becomes(**WINDOWS, new_first="12", new_urgency="urgent", **texts)

    assert days(after) == [(0, 3), (4, 9), (10, 11), (12, 14), (15, None)]
    window = after.entries["swelling"].by_day[3]
    assert (window.urgency, window.text) == ("urgent", {code: f"Words {code}." for code in LANGUAGES})


def test_a_window_that_is_taken_out_leaves_no_gap() -> None:
    assert days(becomes(**WINDOWS | {"w3_gone": "on"})) == [(0, 3), (4, 9), (10, None)]


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"w0_first": "2"}, "starts on day 2, but day 0 comes next"),
        ({"w2_first": "3"}, "ends on day 2 before it starts"),
        ({"w1_text": ""}, "is empty"),
        ({"new_first": "12", "new_text_en": "English only."}, "is empty"),
    ],
)
def test_windows_that_may_not_go_live_are_refused(form: dict[str, str], why: str) -> None:
    with pytest.raises(FaqProblems) as caught:
        becomes(**WINDOWS | form)

    assert why in " ".join(problem.message for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"w1_first": "soon"}, '"soon" is none'),
        ({"new_text_en": "No day."}, "begins on a day"),
        ({"reviewed_on": "yesterday"}, "written such as"),
        ({"reviewed_on": "2026-11-24"}, "has not come yet"),
    ],
)
def test_days_that_are_none_are_told(form: dict[str, str], why: str) -> None:
    with pytest.raises(EditRefused, match=why):
        becomes(**WINDOWS | form)


def test_the_review_has_its_doctor_and_its_day() -> None:
    before = load(small_text()).entries["swelling"].reviewed
    today = becomes(reviewed_by="Dr. A").entries["swelling"].reviewed
    earlier = becomes(reviewed_by="Dr. A", reviewed_on="2026-11-20").entries["swelling"].reviewed
    same_doctor = becomes(reviewed_on="2026-11-20").entries["swelling"].reviewed

    assert (today.by, today.on) == ("Dr. A", TODAY)
    assert (earlier.by, earlier.on) == ("Dr. A", dt.date(2026, 11, 20))
    assert (same_doctor.by, same_doctor.on) == (before.by, dt.date(2026, 11, 20))


def test_kind_of_entry_is_changed_at_once_and_named_for_the_audit_trail() -> None:
    form = {"about": "1", "group": "aftercare", "urgency": "call", "beyond": "on", "threshold": "0.7"}
    draft, faq = drafted(**form, see_also="cost,  alcohol cost", source_S2="on")
    entry = load(draft.into(small_text(), faq.entries["swelling"], "en", TODAY)).entries["swelling"]

    assert (entry.group, entry.urgency, entry.beyond, entry.threshold) == ("aftercare", "call", True, 0.7)
    assert (entry.see_also, entry.sources) == (["cost", "alcohol"], ["S2"])
    names = ["group", "urgency", "beyond", "threshold", "see_also", "sources"]
    assert draft.changed(Draft.of(faq.entries["swelling"], "en")) == names


# --- the page


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path, Reader(load(small_text())), small_text()) as opened:
        yield opened


async def digest(browser: Browser) -> str:
    _, page = await browser.get("/staff/faq/swelling?lang=en")
    found = re.search(r'name="digest" value="(\w+)"', page)
    assert found
    return found[1]


async def test_urgency_and_a_window_are_saved_served_and_written_down(
    clinic: Clinic, editor: Browser
) -> None:
    form = WORDS | WINDOWS | ABOUT | {"urgency": "call", "w0_text": "New words.", "lang": "en"}
    status, _ = await editor.post("/staff/faq/swelling?lang=en", digest=await digest(editor), **form)

    entry = clinic.live.current.faq.entries["swelling"]
    assert (status, entry.urgency, entry.by_day[0].text["en"]) == (303, "call", "New words.")
    [line] = [line for _, line in clinic.store.audit_lines() if line.what == "faq.edited"]
    assert (line.who, line.subject, line.detail) == ("Eda", "swelling", "en: urgency, by_day")


async def test_a_window_is_drawn_while_it_is_typed(editor: Browser) -> None:
    form = WORDS | WINDOWS | {"w0_text": "New words.", "day": "2", "lang": "en"}
    _, drawn = await editor.post("/staff/faq/swelling/check", **form)
    _, wrong = await editor.post("/staff/faq/swelling/check", **form | {"w0_first": "1"})

    assert "New words." in drawn
    assert "starts on day 1, but day 0 comes next" in wrong


async def test_what_was_typed_stays_when_somebody_else_was_first(clinic: Clinic, editor: Browser) -> None:
    seen = await digest(editor)
    clinic.live.path.write_text(small_text() + "# by hand\n", encoding="utf-8")
    new = {f"new_text_{code}": f"Words {code}." for code in LANGUAGES} | {"new_first": "12"}
    form = WORDS | WINDOWS | ABOUT | {"threshold": "0.7", "w2_gone": "on", "lang": "en"} | new
    status, page = await editor.post("/staff/faq/swelling?lang=en", digest=seen, **form)

    page = unescape(page)
    assert (status, "changed by somebody else" in page) == (409, True)
    assert 'name="threshold" inputmode="decimal" maxlength="6" value="0.7"' in page
    assert 'name="w2_gone" value="on" checked' in page
    assert all(f">Words {code}.</textarea>" in page for code in LANGUAGES)
    assert clinic.live.path.read_text(encoding="utf-8") == small_text() + "# by hand\n"


async def test_who_may_not_edit_sees_the_windows_and_no_form_for_them(clinic: Clinic) -> None:
    page = await page_of(clinic, "care", "/staff/faq/swelling?lang=en")

    assert "Day 0 to 3" in page
    assert 'name="w0_first"' not in page
    assert 'name="urgency"' not in page
