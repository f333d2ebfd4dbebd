"""A new entry from the staff page: its effect is seen first, it is written whole or not at all, and no word is lost."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from bot.core.values import Address, Learned
from bot.staff.editing import Editing
from bot.staff.newentry import ID_LENGTH, NewEntry, suggested_id
from bot.store.store import Store
from intents.diff import Outcome
from intents.faq import Faq, load
from intents.understand import Understander
from tests.disk import room_for
from tests.helpers import NOW
from tests.small_faq import small_text, small_understander
from tests.staff_site import Browser, Clinic, Live, open_clinic
from tests.test_faqfile import differing

WORDS = {
    "en": ("Trumpet", "Can I play the trumpet?\nmay I play the tuba", "Wait two weeks before you play."),
    "ja": ("トランペット", "トランペットはいつから吹けますか", "2週間は吹かずにお待ちください。"),
    "ko": ("트럼펫", "트럼펫은 언제부터 불 수 있나요", "2주 동안은 불지 말아 주세요."),
    "zh": ("吹小号", "什么时候可以吹小号", "请等两周再吹。"),
}


pytestmark = pytest.mark.slow  # each look builds a version of the FAQ


def typed(**changes: str) -> dict[str, str]:
    """The form as a browser sends it."""
    form = {"group": "aftercare", "urgency": "routine", "step": "look"}
    for code, (label, questions, answer) in WORDS.items():
        form |= {f"label_{code}": label, f"questions_{code}": questions, f"answer_{code}": answer}
    return form | changes


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    return unescape(found[1]) if found else ""


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path, small_understander(), small_text()) as opened:
        yield opened


async def look(browser: Browser, **changes: str) -> str:
    status, page = await browser.post("/staff/new", **typed(**changes))
    assert status == 200, page
    return page


async def add(browser: Browser, seen: str, **changes: str) -> tuple[int, str]:
    marks = {name: hidden(seen, name) for name in ("digest", "mark")}
    return await browser.post("/staff/new", **typed(**{"step": "add", **marks, **changes}))


def on_disk(clinic: Clinic) -> str:
    return clinic.live.path.read_text(encoding="utf-8")


def only_told(clinic: Clinic, page: str) -> bool:
    """Nothing was written, and every word stands in the form."""
    words = [part for texts in WORDS.values() for part in texts]
    return on_disk(clinic) == small_text() and all(word in unescape(page) for word in words)


async def test_an_entry_is_added_after_its_effect_was_seen(clinic: Clinic, editor: Browser) -> None:
    seen = await look(editor)

    assert "What it would change" in seen
    assert "answer: trumpet" in seen
    assert on_disk(clinic) == small_text()
    assert await add(editor, seen) == (303, "/staff/faq/trumpet")
    entry = clinic.live.current.faq.entries["trumpet"]
    assert entry.questions["en"] == ["Can I play the trumpet?", "may I play the tuba"]
    assert entry.answer["zh"] == "请等两周再吹。"
    assert all(line.startswith("+") for line in differing(small_text(), on_disk(clinic)))
    [line] = [line for _, line in clinic.store.audit_lines() if line.what == "faq.entry"]
    assert (line.who, line.subject) == ("Eda", "trumpet")


async def test_what_was_added_answers_in_every_language(clinic: Clinic, editor: Browser) -> None:
    await add(editor, await look(editor))
    live = clinic.live.current

    for code, question in {"en": "may i play tuba", "ja": "トランペットはいつから吹けますか？", "ko": "트럼펫 언제부터 불 수 있나요",
                           "zh": "什么时候可以吹小号呢"}.items():  # fmt: skip
        assert Outcome.of(live.understand(question, code)) == Outcome("answer", ("trumpet",)), question


async def test_until_a_doctor_has_read_it_patients_are_told_that_it_is_general(
    clinic: Clinic, editor: Browser
) -> None:
    await add(editor, await look(editor))
    entry = clinic.live.current.faq.entries["trumpet"]

    assert entry.beyond
    assert entry.reviewed.by == "Eda; a doctor has to read it before going live"


async def test_a_doctors_name_and_sources_are_kept(clinic: Clinic, editor: Browser) -> None:
    more = {"reviewed_by": "Dr. A: B", "source_S1": "on", "source_S3": "on", "source_S99": "on"}
    await add(editor, await look(editor, **more), **more)
    entry = clinic.live.current.faq.entries["trumpet"]

    assert (entry.beyond, entry.sources, entry.reviewed.by) == (False, ["S1", "S3"], "Dr. A: B")
    assert entry.reviewed.on == NOW.date()


async def test_words_changed_after_the_look_are_looked_at_again(clinic: Clinic, editor: Browser) -> None:
    status, page = await add(editor, await look(editor), answer_en="Never play again.")

    assert status == 200
    assert "You changed words after the effect was shown" in page
    assert on_disk(clinic) == small_text()


async def test_adding_without_a_look_shows_the_effect_first(clinic: Clinic, editor: Browser) -> None:
    status, page = await editor.post("/staff/new", **typed(step="add"))

    assert (status, "What it would change" in page) == (200, True)
    assert only_told(clinic, page)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"answer_ja": " ", "questions_zh": ""}, "Still missing: 日本語: answer; 中文: questions."),
        ({"id": "9 lives"}, 'The id "9 lives" cannot be used'),
        ({"id": "x" * (ID_LENGTH + 1)}, "cannot be used"),
        ({"id": "cost"}, 'The id "cost" is taken'),
        ({"label_en": "???"}, "Give it an id"),
        ({"group": "nowhere"}, "Choose a group."),
        ({"urgency": "soon"}, "Choose an urgency."),
        ({"answer_en": "Ask {nobody}."}, 'the placeholder "nobody" is not known here'),
        ({"label_ko": "가" * 21}, "too long"),
        ({"questions_en": "x" * 201}, "too long"),
    ],
)
async def test_what_cannot_go_live_is_told_and_nothing_is_written(
    clinic: Clinic, editor: Browser, changes: dict[str, str], told: str
) -> None:
    status, page = await editor.post("/staff/new", **typed(**changes))

    assert status == 422
    assert told in unescape(page)
    assert on_disk(clinic) == small_text()


async def test_the_lint_speaks_of_the_new_entry_only(clinic: Clinic, editor: Browser) -> None:
    page = await look(editor, answer_en="Take ibuprofen 400 mg.", questions_en="Can I drink alcohol?")

    assert "is a medicine" in unescape(page)
    assert "stands under alcohol too" in unescape(page) or "leads to alcohol first" in unescape(page)


async def test_a_draft_is_checked_and_drawn_while_half_of_it_is_typed(
    clinic: Clinic, editor: Browser
) -> None:
    form = {"lang": "ja", "answer_ja": "2週間は吹かずにお待ちください。", "label_en": "Playing the trumpet"}
    status, text = await editor.post("/staff/new/check", **form)
    found = json.loads(text)

    assert status == 200
    assert found["id"] == "playing_the_trumpet"
    assert found["problems"][0] == "Choose a group."
    assert found["problems"][1].startswith(
        "Still missing: English: answer, questions; 日本語: label, questions;"
    )
    assert "2週間は吹かずにお待ちください。" in unescape(found["html"])
    assert on_disk(clinic) == small_text()


async def test_a_broken_placeholder_is_told_while_typing(editor: Browser) -> None:
    _, text = await editor.post("/staff/new/check", **typed(answer_ko="{nobody}"))

    assert "nobody" in json.loads(text)["problems"][0]


# --- from questions without an answer


async def ask(clinic: Clinic) -> list[str]:
    """Two wordings of Anna's with a colleague's reply, and a question of somebody else's; Anna's ids."""
    anna = clinic.store.give_consent(Address("line", "U1"), NOW, "en").id
    assert anna
    clinic.store.record_unanswered("can I play the trumpet", "en", (), anna, NOW)
    clinic.store.keep_answered(Learned(7, "trumpet again when?", "In two weeks, Anna."), "en", anna, NOW)
    clinic.store.record_unanswered("is there parking", "en", (), anna, NOW)
    return [str(q.id) for q in clinic.store.questions() if "trumpet" in q.text]


async def test_a_group_of_questions_starts_an_entry_with_their_words(clinic: Clinic, editor: Browser) -> None:
    ids = ",".join(await ask(clinic))
    status, page = await editor.post("/staff/new/start", lang="en", text="can I play the trumpet", ids=ids)

    assert status == 200
    assert "can I play the trumpet\ntrumpet again when?</textarea>" in page
    assert "What a colleague answered" in page
    assert "In two weeks, Anna." in page
    assert ">In two weeks, Anna.</textarea>" not in page
    assert "parking" not in page


async def test_the_questions_leave_the_list_when_their_entry_is_live(clinic: Clinic, editor: Browser) -> None:
    ids = ",".join(await ask(clinic))
    await add(editor, await look(editor, ids=ids), ids=ids)

    assert [q.text for q in clinic.store.questions()] == ["is there parking"]


async def test_the_list_offers_a_new_entry_to_editors_only(clinic: Clinic, editor: Browser) -> None:
    await ask(clinic)
    async with Browser(clinic) as nurse:
        await nurse.log_in("care")
        _, seen_by_care = await nurse.get("/staff/unanswered")
    _, seen = await editor.get("/staff/unanswered")

    assert "Start a new entry" in seen
    assert "A colleague answered" in seen
    assert "Start a new entry" not in seen_by_care


# --- what may go wrong with the file


async def test_an_edit_by_somebody_else_meanwhile_is_refused_and_told(
    clinic: Clinic, editor: Browser
) -> None:
    seen = await look(editor)
    clinic.live.path.write_text(small_text() + "# by hand\n", encoding="utf-8")
    status, page = await add(editor, seen)

    assert status == 409
    assert "changed by somebody else since you looked" in page
    assert on_disk(clinic) == small_text() + "# by hand\n"
    assert "请等两周再吹。" in page
    assert (await add(editor, await look(editor)))[0] == 303
    assert on_disk(clinic).endswith("# by hand\n")


async def test_of_two_people_who_add_at_once_both_entries_stand_in_the_end(
    clinic: Clinic, editor: Browser
) -> None:
    async with Browser(clinic) as other:
        await other.log_in("admin")
        mine, theirs = await look(editor, id="one"), await look(other, id="two")
        first, (second, page) = await add(editor, mine, id="one"), await add(other, theirs, id="two")
        again = await add(other, await look(other, id="two"), id="two")

    assert (first[0], second, again[0]) == (303, 409, 303)
    assert "changed by somebody else" in page
    assert {"one", "two"} <= set(load(on_disk(clinic)).entries)


async def test_an_editor_half_way_through_its_three_writes_is_not_overwritten(
    clinic: Clinic, editor: Browser
) -> None:
    seen, whole = await look(editor), (small_text() + "# by hand\n").encode()
    with clinic.live.path.open("wb") as file:
        file.write(whole[:9000])
        file.flush()
        adding = await add(editor, seen)
        looking = await editor.post("/staff/new", **typed())
        file.write(whole[9000:20000])
        file.flush()
        still = await add(editor, seen)
        file.write(whole[20000:])

    assert (adding[0], looking[0], still[0]) == (409, 422, 409)
    assert "请等两周再吹。" in looking[1]
    assert clinic.live.path.read_bytes() == whole
    assert (await add(editor, await look(editor)))[0] == 303


async def test_a_read_only_file_is_told_and_no_word_is_lost(clinic: Clinic, editor: Browser) -> None:
    seen = await look(editor)
    clinic.live.path.chmod(0o444)
    status, page = await add(editor, seen)

    assert (status, "is read-only" in page) == (422, True)
    assert only_told(clinic, page)


async def test_a_full_disk_is_told_and_no_word_is_lost(clinic: Clinic, editor: Browser) -> None:
    seen = await look(editor)
    with room_for(100_000):  # the database still finds room, the file does not
        status, page = await add(editor, seen)

    assert (status, "the disk is full" in page) == (422, True)
    assert only_told(clinic, page)
    assert [path.name for path in clinic.live.path.parent.glob("*.tmp")] == []


async def test_a_file_that_is_gone_is_told(clinic: Clinic, editor: Browser) -> None:
    seen = await look(editor)
    clinic.live.path.unlink()
    status, page = await add(editor, seen)

    assert (status, "cannot be read" in page) == (422, True)
    assert "请等两周再吹。" in page


# --- the parts


def test_an_id_is_made_of_the_english_label() -> None:
    assert suggested_id("Playing the trumpet!") == "playing_the_trumpet"
    assert suggested_id("2 weeks: sport") == "weeks_sport"
    assert suggested_id("笑う") == ""
    assert len(suggested_id("a" * 90)) == ID_LENGTH


def test_every_word_of_the_draft_changes_its_mark(faq: Faq) -> None:
    form = typed()
    mark = NewEntry.typed(form, faq).mark
    others = {
        NewEntry.typed(form | {key: value + " x"}, faq).mark for key, value in form.items() if key != "step"
    }

    assert len(others) == len(form) - 1
    assert mark not in others


def test_labelled_questions_are_tried_too(clinic_editing: Editing) -> None:
    found = clinic_editing.phrasing_effect("cost", "en", "may I have a small glass of wine")

    assert [(c.probe.text, c.probe.origin, c.verdict) for c in found if c.probe.origin == "wine"] == [
        ("may I have a small glass of wine?!", "wine", "worse")
    ]


@pytest.fixture
def clinic_editing(tmp_path: Path, sqlite_store: Store, understander: Understander) -> Editing:
    line = {"text": "may I have a small glass of wine?!", "kind": "topic", "topic": "alcohol"}
    (tmp_path / "wine.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    (tmp_path / "odd.jsonl").write_text("no json\n", encoding="utf-8")
    return Editing(Live(tmp_path / "faq.yaml", understander), tmp_path / "faq.yaml", sqlite_store, tmp_path)  # type: ignore[arg-type]
