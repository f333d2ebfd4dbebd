"""Writing faq.yaml: one entry changes, all else stays to the byte, and nobody's edit is ever lost."""

import difflib
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.staff.faqfile import add_entry, add_question, set_questions, set_reviewed, set_text
from bot.staff.saving import Conflict, EditRefused, Snapshot, save, take
from intents.faq import FaqProblems, load
from tests.disk import room_for
from tests.small_faq import small_faq, small_text

pytestmark = pytest.mark.slow  # together longer than all of make check may take

LANGUAGES = ("en", "ja", "ko", "zh")


def differing(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


@pytest.fixture
def faq_file(tmp_path: Path) -> Path:
    path = tmp_path / "faq.yaml"
    path.write_text(small_text(), encoding="utf-8")
    return path


# --- edits


@pytest.mark.parametrize("entry", ["smile_pain_duration", "swelling", "alcohol", "cost"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrasing_adds_one_line_and_touches_no_other_byte(entry: str, language: str) -> None:
    new = add_question(small_text(), entry, language, 'new: "words" #1')

    assert differing(small_text(), new) == ['+        - "new: \\"words\\" #1"']
    assert load(new).entries[entry].questions[language][-1] == 'new: "words" #1'


def test_comments_quotes_and_odd_spaces_inside_the_entry_stay() -> None:
    first = f'- "{small_faq().entries["alcohol"].questions["en"][0]}"'
    text = small_text().replace(first, f"# asked by many\n        {first}  # keep")
    new = add_question(text, "alcohol", "en", "another one")

    assert differing(text, new) == ['+        - "another one"']


def test_file_with_lists_flush_and_windows_line_ends_keeps_them() -> None:
    flush = small_text().replace("\n        - ", "\n      - ").replace("\n", "\r\n")
    new = add_question(flush, "cost", "ko", "새 질문")

    assert differing(flush, new) == ['+      - "새 질문"']
    assert new.count("\r\n") == new.count("\n")


def test_answer_of_several_lines_is_written_as_a_block() -> None:
    words = 'First: yes.\n\nSecond # no comment, {phone}, "quoted".'
    new = set_text(small_text(), "swelling", "answer", "en", words + "\n")

    assert load(new).entries["swelling"].answer["en"] == words
    assert "      en: |-\n        First: yes.\n\n        Second # no comment" in new


def test_review_is_renewed_in_place() -> None:
    new = set_reviewed(small_text(), "swelling", "2027-01-31", "Dr. A: B")

    assert differing(small_text(), new)[1] == '+    reviewed: {on: 2027-01-31, by: "Dr. A: B"}'


def test_phrasings_can_be_taken_out_and_the_rest_keep_their_lines() -> None:
    questions = small_faq().entries["cost"].questions["zh"]
    new = set_questions(small_text(), "cost", "zh", [*questions[1:], "  新的  问题 "])

    assert differing(small_text(), new) == [f'-        - "{questions[0]}"', '+        - "新的 问题"']


def entry_value(id: str) -> dict[str, Any]:
    return {
        "id": id,
        "group": "aftercare",
        "urgency": "routine",
        "beyond": True,
        "label": dict.fromkeys(LANGUAGES, "New"),
        "questions": {code: [f"a new thing {code}?"] for code in LANGUAGES},
        "answer": dict.fromkeys(LANGUAGES, "First line: so.\nSecond line."),
        "see_also": ["swelling"],
        "sources": [],
        "reviewed": {"on": "2026-11-23", "by": "no: one"},
    }


@pytest.mark.parametrize("after", ["swelling", "cost"])
def test_new_entry_stands_behind_the_one_it_was_put_after(after: str) -> None:
    new = add_entry(small_text(), entry_value("brand_new"), after)
    ids = list(load(new).entries)

    assert ids[ids.index(after) + 1] == "brand_new"
    assert all(line.startswith("+") for line in differing(small_text(), new))


def test_edit_that_may_not_go_live_is_refused_with_its_line() -> None:
    with pytest.raises(FaqProblems, match='the placeholder "fone" is not known here'):
        set_text(small_text(), "swelling", "answer", "ja", "{fone} に電話")
    with pytest.raises(FaqProblems, match="used twice"):
        add_entry(small_text(), entry_value("cost"), "swelling")
    with pytest.raises(FaqProblems, match="too long"):
        add_question(small_text(), "swelling", "en", "x" * 201)


def test_a_file_cut_off_anywhere_is_refused_with_words() -> None:
    """As it stands while an editor saves in several writes."""
    text = small_text()
    for end in range(1, len(text), 9973):
        for edit in (
            lambda cut: add_entry(cut, entry_value("brand_new")),
            lambda cut: set_text(cut, "cost", "answer", "en", "x"),
        ):
            with pytest.raises((EditRefused, FaqProblems)):
                edit(text[:end])


def test_a_new_entry_goes_behind_the_last_one_of_its_group() -> None:
    ids = list(load(add_entry(small_text(), entry_value("brand_new"))).entries)
    first = list(load(add_entry(small_text(), entry_value("brand_new") | {"group": "choosing"})).entries)

    assert ids[ids.index("alcohol") + 1] == "brand_new"
    assert first[-1] == "brand_new"


def test_known_phrasing_and_vanished_entry_are_told() -> None:
    question = small_faq().entries["cost"].questions["en"][0]

    with pytest.raises(EditRefused, match="stands under cost already"):
        add_question(small_text(), "cost", "en", question.upper())
    with pytest.raises(EditRefused, match="no entry gone"):
        add_question(small_text(), "gone", "en", "x")


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=120))
def test_any_words_are_written_as_they_are_or_refused(words: str) -> None:
    try:
        new = set_text(small_text(), "swelling", "answer", "en", words)
    except (EditRefused, FaqProblems):
        return

    entries = load(new).entries
    assert entries["swelling"].answer["en"] == words.replace("\r\n", "\n").strip()
    assert entries["cost"] == small_faq().entries["cost"]


# --- saving


def test_save_replaces_the_whole_file_and_keeps_its_mode(faq_file: Path) -> None:
    faq_file.chmod(0o640)
    seen = take(faq_file)
    after = save(faq_file, seen, add_question(seen.text, "cost", "en", "any discount"))

    assert take(faq_file) == after
    assert "any discount" in faq_file.read_text(encoding="utf-8")
    assert stat.S_IMODE(faq_file.stat().st_mode) == 0o640
    assert os.listdir(faq_file.parent) == ["faq.yaml"]


def test_second_of_two_editors_is_told_and_the_first_edit_stands(faq_file: Path) -> None:
    one, two = take(faq_file), take(faq_file)
    save(faq_file, one, add_question(one.text, "cost", "en", "first editor"))

    with pytest.raises(Conflict, match="changed by somebody else"):
        save(faq_file, two, add_question(two.text, "cost", "en", "second editor"))
    assert "first editor" in faq_file.read_text(encoding="utf-8")
    assert os.listdir(faq_file.parent) == ["faq.yaml"]


def test_edit_in_an_editor_between_reading_and_saving_is_noticed(faq_file: Path) -> None:
    seen = take(faq_file)
    faq_file.write_text(seen.text + "# by hand\n", encoding="utf-8")

    with pytest.raises(Conflict):
        save(faq_file, seen, seen.text)
    assert faq_file.read_text(encoding="utf-8").endswith("# by hand\n")


def test_link_stays_a_link(faq_file: Path) -> None:
    link = faq_file.parent / "link.yaml"
    link.symlink_to(faq_file)
    seen = take(link)
    save(link, seen, seen.text + "# more\n")

    assert link.is_symlink()
    assert faq_file.read_text(encoding="utf-8").endswith("# more\n")


def test_read_only_file_is_told_and_untouched(faq_file: Path) -> None:
    faq_file.chmod(0o444)
    seen = take(faq_file)

    with pytest.raises(EditRefused, match="read-only"):
        save(faq_file, seen, seen.text + "# more\n")
    assert take(faq_file) == seen


def test_missing_file_is_told(faq_file: Path) -> None:
    seen = take(faq_file)
    faq_file.unlink()

    with pytest.raises(EditRefused, match="is gone"):
        save(faq_file, seen, seen.text)
    with pytest.raises(EditRefused, match="cannot be read"):
        take(faq_file)


def test_no_room_is_told_and_the_old_file_stands(faq_file: Path) -> None:
    seen = take(faq_file)

    with room_for(1000), pytest.raises(EditRefused, match="the disk is full"):
        save(faq_file, seen, seen.text + "# more\n")
    assert take(faq_file) == seen
    assert os.listdir(faq_file.parent) == ["faq.yaml"]


@pytest.mark.slow
def test_full_disk_is_told_and_the_old_file_stands(tmp_path: Path) -> None:
    size = len(small_text().encode()) + 40_000
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", tmp_path], capture_output=True
    )
    if made.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        path = tmp_path / "faq.yaml"
        path.write_text(small_text(), encoding="utf-8")
        seen = take(path)
        with pytest.raises(EditRefused, match="the disk is full"):
            save(path, seen, seen.text + "# more\n")

        assert take(path) == seen
        assert os.listdir(tmp_path) == ["faq.yaml"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_byte_order_mark_is_read_past() -> None:
    assert Snapshot.of(b"\xef\xbb\xbfa: b").text == "a: b"
