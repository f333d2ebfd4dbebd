"""Questions without an answer: grouped by likeness, ranked by patients, and the effect of a phrasing shown first."""

import datetime as dt

from bot.staff.unanswered import effect, group, with_question
from bot.store.figures import Question
from intents.diff import Outcome
from intents.faq import Faq
from intents.understand import Understander
from tests.helpers import NOW


def asked(
    *rows: tuple[str, int | None], language: str = "en", matches: tuple[str, ...] = ()
) -> list[Question]:
    """(text, patient) rows, one a minute."""
    return [
        Question(i, text, language, matches, patient, NOW + dt.timedelta(minutes=i))
        for i, (text, patient) in enumerate(rows, 1)
    ]


def texts(questions: list[Question], understander: Understander) -> list[set[str]]:
    return [{q.text for q in found.questions} for found in group(questions, understander)]


def test_like_questions_come_together_and_others_stay_apart(understander: Understander) -> None:
    questions = asked(
        ("is there parking at the clinic", 1),
        ("do you have parking", 2),
        ("Parking at your clinic?", 3),
        ("can I bring my dog", 4),
    )

    assert texts(questions, understander) == [
        {"is there parking at the clinic", "do you have parking", "Parking at your clinic?"},
        {"can I bring my dog"},
    ]


def test_languages_are_never_mixed(understander: Understander) -> None:
    questions = asked(("駐車場はありますか", 1), ("駐車場ありますか？", 2), language="ja")
    questions += asked(("请问有停车场吗", 3), ("有停车场吗", 4), language="zh")

    assert {found.language for found in group(questions, understander)} == {"ja", "zh"}
    assert len(group(questions, understander)) == 2


def test_many_patients_come_before_one_who_asks_often(understander: Understander) -> None:
    questions = asked(*[("can I bring my dog", 7)] * 5, ("is there parking", 1), ("parking?", 2))
    found = group(questions, understander)

    assert [(g.text, g.patients) for g in found] == [("parking?", 2), ("can I bring my dog", 1)]


def test_unknown_patients_count_as_one(understander: Understander) -> None:
    questions = asked(("is there parking", None), ("is there parking", None), ("is there parking", 1))

    assert [g.patients for g in group(questions, understander)] == [2]


def test_suggestions_are_the_entries_that_came_nearest_most_often(understander: Understander) -> None:
    questions = asked(("is there parking", 1), matches=("contact_clinic", "cost"))
    questions += asked(("is there parking?", 2), matches=("contact_clinic", "flying_travel"))

    assert group(questions, understander)[0].suggested[0] == "contact_clinic"


def test_nothing_asked_gives_no_groups(understander: Understander) -> None:
    assert group([], understander) == []


def test_effect_shows_that_the_question_and_those_like_it_would_be_answered(
    understander: Understander,
) -> None:
    past = asked(("can I wear my cpap mask", 1), ("cpap mask at night?", 2), ("is there parking", 3))
    found = effect(understander, "sleeping_position", "en", "can I use my cpap mask", past)
    outcomes = {change.probe.text: change.after for change in found}

    assert outcomes["can I use my cpap mask"] == Outcome("answer", ("sleeping_position",))
    assert outcomes["can I wear my cpap mask"] == Outcome("answer", ("sleeping_position",))
    assert "is there parking" not in outcomes


def test_effect_warns_of_what_gets_worse_first(understander: Understander, faq: Faq) -> None:
    words = "my cheeks are as big as a hamster's"
    taken = understander.with_faq(with_question(faq, "alcohol", "en", words))
    found = effect(taken, "swelling", "en", words)

    assert [(change.probe.origin, change.verdict) for change in found[:2]] == [
        ("alcohol", "worse"),
        ("this question", "better"),
    ]


def test_preview_leaves_the_live_version_alone(understander: Understander, faq: Faq) -> None:
    more = with_question(faq, "cost", "zh", "可以分期吗")

    assert more.entries["cost"].questions["zh"][-1] == "可以分期吗"
    assert "可以分期吗" not in understander.faq.entries["cost"].questions["zh"]
    assert more.version != faq.version
