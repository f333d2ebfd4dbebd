"""An entry edited on the staff page: whatever becomes of the file meanwhile, nothing is lost and it is told plainly."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from bot.core.values import Address
from intents.faq import load
from tests.disk import room_for
from tests.helpers import NOW
from tests.small_faq import small_text
from tests.staff_site import Browser, Clinic, Reader, open_clinic
from tests.test_faqfile import differing

pytestmark = pytest.mark.slow  # each save reads the file four times

WORDS = "Swelling is at its strongest now. It gets less each day."
HAND = "# by hand\n"


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path, Reader(load(small_text())), small_text()) as opened:
        yield opened


async def opened(browser: Browser) -> dict[str, str]:
    """The form of an entry as it stands, with WORDS as its answer."""
    _, page = await browser.get("/staff/faq/swelling?lang=en")
    found = re.search(r'name="digest" value="(\w+)"', page)
    assert found
    entry = browser.clinic.live.current.faq.entries["swelling"]
    return {
        "digest": found[1], "lang": "en", "label": entry.label["en"], "answer": WORDS,
        "questions": "\n".join(entry.questions["en"]), "reviewed_by": "",
    }  # fmt: skip


async def save(browser: Browser, form: dict[str, str]) -> tuple[int, str]:
    status, page = await browser.post("/staff/faq/swelling?lang=en", **form)
    return status, unescape(page)


def on_disk(clinic: Clinic) -> str:
    return clinic.live.path.read_text(encoding="utf-8")


async def test_what_was_changed_is_live_and_stands_in_the_audit_trail(
    clinic: Clinic, editor: Browser
) -> None:
    form = await opened(editor)
    status, _ = await save(editor, form | {"reviewed_by": "Dr. A"})

    assert status == 303
    assert clinic.live.current.faq.entries["swelling"].answer["en"] == WORDS
    [line] = [line for _, line in clinic.store.audit_lines() if line.what == "faq.edited"]
    assert (line.who, line.subject, line.detail) == ("Eda", "swelling", "en: answer, reviewed")


async def test_invisible_line_breaks_that_were_pasted_become_ordinary_ones(
    clinic: Clinic, editor: Browser
) -> None:
    form = await opened(editor)
    pasted = {"label": "Swelling\u2028now", "answer": "One.\u2028Two.\u2029Three.\x85Four."}
    status, _ = await save(editor, form | pasted)

    entry = clinic.live.current.faq.entries["swelling"]
    assert status == 303
    assert (entry.label["en"], entry.answer["en"]) == ("Swelling now", "One.\nTwo.\nThree.\nFour.")
    assert load(on_disk(clinic)).entries["swelling"].answer["en"] == entry.answer["en"]


async def test_the_second_of_two_editors_is_told_and_keeps_their_words(
    clinic: Clinic, editor: Browser
) -> None:
    async with Browser(clinic) as other:
        await other.log_in("admin")
        mine, theirs = await opened(editor), await opened(other)
        first, _ = await save(editor, mine)
        second, page = await save(other, theirs | {"answer": "Other words."})

    assert (first, second) == (303, 409)
    assert "changed by somebody else since you opened this page" in page
    assert ">Other words.</textarea>" in page
    assert clinic.live.current.faq.entries["swelling"].answer["en"] == WORDS


async def test_an_editor_in_the_middle_of_its_three_writes_is_not_overwritten(
    clinic: Clinic, editor: Browser
) -> None:
    form, whole = await opened(editor), (small_text() + HAND).encode()
    first, second = (whole.index(b': "', start) + 6 for start in (7000, 15000))  # in the middle of a text
    with clinic.live.path.open("wb") as file:
        file.write(whole[:first])
        file.flush()
        during = await save(editor, form)
        file.write(whole[first:second])
        file.flush()
        still = await save(editor, form)
        file.write(whole[second:])
    after = await save(editor, await opened(editor))

    assert [status for status, _ in (during, still, after)] == [409, 409, 303]
    assert WORDS in during[1]
    assert on_disk(clinic).endswith(HAND)
    assert load(on_disk(clinic)).entries["swelling"].answer["en"] == WORDS


async def test_a_page_opened_while_the_file_is_half_written_says_so_at_saving(
    clinic: Clinic, editor: Browser
) -> None:
    whole = clinic.live.path.read_bytes()
    clinic.live.path.write_bytes(whole[:7000])
    form = await opened(editor)
    status, page = await save(editor, form)
    clinic.live.path.write_bytes(whole)

    assert status == 422
    assert WORDS in page


async def test_a_read_only_file_is_told_and_the_words_stay(clinic: Clinic, editor: Browser) -> None:
    form = await opened(editor)
    clinic.live.path.chmod(0o444)
    status, page = await save(editor, form)

    assert (status, "faq.yaml is read-only" in page, WORDS in page) == (422, True, True)
    assert on_disk(clinic) == small_text()


async def test_a_full_disk_is_told_and_the_words_stay(clinic: Clinic, editor: Browser) -> None:
    form = await opened(editor)
    with room_for(100_000):
        status, page = await save(editor, form)

    assert (status, "the disk is full" in page, WORDS in page) == (422, True, True)
    assert on_disk(clinic) == small_text()


async def test_nothing_changed_is_nothing_written(clinic: Clinic, editor: Browser) -> None:
    form = await opened(editor)
    status, page = await save(
        editor, form | {"answer": clinic.live.current.faq.entries["swelling"].answer["en"]}
    )

    assert (status, "Nothing was changed" in page) == (422, True)


# --- a question without an answer becomes a phrasing


@pytest.fixture
def asked(clinic: Clinic) -> Clinic:
    patient = clinic.store.give_consent(Address("line", "U1"), NOW, "en").id
    clinic.store.record_unanswered("my cheeks are like balloons", "en", ("swelling",), patient, NOW)
    return clinic


async def listed(clinic: Clinic) -> int:
    return len(clinic.store.questions())


async def test_a_phrasing_keeps_what_others_wrote_meanwhile(asked: Clinic, editor: Browser) -> None:
    asked.live.path.write_text(small_text() + HAND, encoding="utf-8")
    await editor.post(
        "/staff/unanswered/add", entry="swelling", lang="en", text="my cheeks are like balloons", ids="1"
    )

    assert differing(small_text(), on_disk(asked)) == [
        '+        - "my cheeks are like balloons"',
        "+# by hand",
    ]
    assert await listed(asked) == 0


@pytest.mark.parametrize("trouble", ["read-only", "full", "half written"])
async def test_a_phrasing_that_cannot_be_written_stays_on_the_list(
    asked: Clinic, editor: Browser, trouble: str
) -> None:
    before = on_disk(asked)
    form = {"entry": "swelling", "lang": "en", "text": "my cheeks are like balloons", "ids": "1"}
    if trouble == "read-only":
        asked.live.path.chmod(0o444)
    if trouble == "half written":
        before = before[:7000]
        asked.live.path.write_text(before, encoding="utf-8")
    with room_for(100_000 if trouble == "full" else 1 << 40):
        status, _ = await editor.post("/staff/unanswered/add", **form)

    assert status == 303
    assert asked.staff_site.unsay(editor.cookies["smileline_said"]).startswith("Not added: ")
    assert on_disk(asked) == before
    assert await listed(asked) == 1
