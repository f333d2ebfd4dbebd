"""faq.yaml: the shipped file is complete, and every way to break it is answered with a line."""

import json
import re

import pytest

from intents.faq import Faq, FaqProblems, load, schema
from tests.helpers import ROOT, shipped_text, topics
from tests.small_faq import FEW as FOUR
from tests.small_faq import small_faq, small_text

TOPICS = topics()


FEW = small_text(("smile_pain_causes", *FOUR))  # breaks as the whole file does, and sooner


def refuse(old: str, new: str) -> list[str]:
    text = FEW
    assert old in text
    with pytest.raises(FaqProblems) as caught:
        load(text.replace(old, new, 1))
    return [str(problem) for problem in caught.value.problems]


def line_of(text: str) -> int:
    return FEW.split(text)[0].count("\n") + 1


def test_every_topic_and_danger_sign_of_the_coverage_list_is_there(faq: Faq) -> None:
    assert [entry.id for entry in faq.file.entries] == [topic["id"] for topic in TOPICS["topics"]]
    assert {flag.id: flag.urgency for flag in faq.file.red_flags} == {
        f["id"]: f["urgency"] for f in TOPICS["red_flags"]
    }


def test_urgency_group_sources_and_beyond_are_those_of_the_coverage_list(faq: Faq) -> None:
    for topic in TOPICS["topics"]:
        entry = faq.entries[topic["id"]]

        assert (entry.urgency, entry.group) == (topic["urgency"], topic["group"])
        assert (set(entry.sources), entry.beyond) == (set(topic["sources"]), topic.get("beyond", False))


def test_every_entry_has_six_questions_or_more_in_every_language(faq: Faq) -> None:
    for entry in faq.file.entries:
        for language in faq.languages:
            assert len(set(entry.questions[language])) >= 6, entry.id


def test_no_question_stands_under_two_entries(faq: Faq) -> None:
    seen: dict[str, str] = {}
    for entry in faq.file.entries:
        for question in (q for texts in entry.questions.values() for q in texts):
            assert seen.setdefault(question.casefold(), entry.id) == entry.id


def test_plan_covers_the_whole_journey(faq: Faq) -> None:
    days = {step.day for step in faq.file.reminders.steps}

    assert days >= {0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 90, 180, 365}


def test_clinic_is_marked_as_placeholder() -> None:
    clinic = shipped_text().split("\nclinic:")[1].split("\nsources:")[0]

    assert clinic.count("PLACEHOLDER") >= 6


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "urgency: routine",
            "urgency: rutine",
            'came "rutine"; allowed: "routine", "call", "urgent" or "emergency"',
        ),
        ("    group: pain", "    gruop: pain", 'the key "gruop" is not known here; did you mean "group"?'),
        (
            'at: "10:00"',
            "at: 9:30",
            'came "9:30"; a time with two digits each such as "09:30" is wanted here',
        ),
        ('at: "10:00"', 'at: "25:00"', "a time with two digits"),
        ("day: 14", "day: soon", 'came "soon"; a whole number such as 14 is wanted here'),
        ("on: 2026-11-23", "on: 23.11.2026", "a date such as 2026-11-20 is wanted here"),
        ("on: 2026-11-23", "on: 2026-02-31", "reviewed.on"),
        ("timezone: Asia/Tokyo", "timezone: Tokyo", '"Tokyo" is no zone'),
        (
            "see_also: [smile_pain_duration",
            "see_also: [smile_pain_durration",
            'did you mean "smile_pain_duration"?',
        ),
        ("sources: [S1]", "sources: [S9]", '"S9" is not known'),
        ("first: 8", "first: 9", "but day 8 comes next"),
        ("first: 8", "first: 7", "but day 8 comes next"),
        ("        last: 14", "        last: 3", "the window ends on day 3 before it starts"),
        (
            "- first: 30\n        urgency",
            "- first: 30\n        last: 60\n        urgency",
            "nothing is said from day 61",
        ),
        ("  languages: [", "  languages: [xx, ", 'came "xx"'),
        ('phone: "+00 000 0000"', "phone: 0312345678", "without quotes"),
        ("{emergency}", "{emergencey}", 'the placeholder "emergencey" is not known here'),
        ("country: JP", "country: FR", 'no number for the clinic\'s own country "FR"'),
    ],
)
def test_each_mistake_is_named_with_what_came_and_what_is_allowed(old: str, new: str, expected: str) -> None:
    if old == "{emergency}":  # the first one stands in the guide's comments
        old, new = "call {emergency}", "call {emergencey}"
    assert any(expected in line for line in refuse(old, new))


def test_line_and_column_point_at_the_mistake() -> None:
    found = refuse("urgency: call\n", "urgency: later\n")[0]

    assert found.startswith(f"line {line_of('urgency: call')}, column ")


def test_unquoted_no_is_refused_with_advice() -> None:
    question = re.search(r'\n        - "([^"]+)"', FEW)
    assert question

    assert any('write "no"' in line for line in refuse(f'- "{question[1]}"', "- no"))


def test_missing_language_is_named() -> None:
    answer = re.search(r"\n      en: \|-\n(?:        .*\n)+", FEW)
    assert answer

    found = refuse(answer[0], "\n")
    assert any(
        "no text" in line or "is missing" in line or "is empty" in line or "wanted" in line for line in found
    )


def test_all_problems_come_at_once() -> None:
    broken = shipped_text().replace("urgency: routine", "urgency: rutine").replace("first: 8", "first: later")

    with pytest.raises(FaqProblems) as caught:
        load(broken)

    assert len(caught.value.problems) > 20


def test_duplicate_ids_are_refused() -> None:
    assert any(
        "used twice" in line for line in refuse("- id: smile_pain_duration", "- id: smile_pain_causes")
    )


def test_version_changes_with_the_text() -> None:
    assert load(small_text() + "\n# a comment\n").version != small_faq().version


def test_committed_schema_is_the_models() -> None:
    assert json.loads((ROOT / "intents" / "faq.schema.json").read_text(encoding="utf-8")) == schema()
