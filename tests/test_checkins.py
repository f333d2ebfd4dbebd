"""Check-ins on plain values: what is asked, how an answer is read, what it means on its day, and what is said to it."""

import datetime as dt
from dataclasses import replace
from typing import get_args

import pytest

from bot.core import checkins, journey
from bot.core.checkins import USUAL_UNTIL, Answered, judge, open_question, tapped
from bot.core.conversation import decide
from bot.core.effects import Decision, KeepCheckIn, OpenAlert, RecordUnanswered
from bot.core.values import Asked, Button, CheckedIn, Context, Incoming
from bot.core.wording import Wording
from intents import short_answers
from intents.faq import Faq, FaqProblems, load
from intents.faq.shape import CheckIn
from intents.languages import LANGUAGES
from intents.short_answers import ANSWERS, read_answer
from intents.types import Understanding
from intents.understand import Understander
from tests.helpers import NOW
from tests.small_faq import small_text
from tests.test_conversation import ADDRESS, CONSENTED, meaning, press, say

DATE = dt.date(2026, 11, 20)  # NOW is its day 3
ASKED_PAIN = Asked("day_7", DATE, NOW - dt.timedelta(hours=1))


def on_day(day: int, **values: object) -> dict[str, object]:
    """The patient on recovery day `day`, for `press` and `say`."""
    return {"patient": replace(CONSENTED, procedure_date=NOW.date() - dt.timedelta(days=day)), **values}


def button_of(answer: str, step: str = "day_7", day: int = 3) -> str:
    return f"check:{step}:{NOW.date() - dt.timedelta(days=day):%y%m%d}:{answer}"


def alerts(decision: Decision) -> list[OpenAlert]:
    return [effect for effect in decision.effects if isinstance(effect, OpenAlert)]


def kept(decision: Decision) -> list[str]:
    return [effect.answer for effect in decision.effects if isinstance(effect, KeepCheckIn)]


# --- asking


def test_the_file_and_the_core_know_the_same_kinds() -> None:
    assert set(get_args(CheckIn.model_fields["asks"].annotation)) == set(ANSWERS)


def test_the_plan_asks_on_five_days(faq: Faq) -> None:
    asking = {step.day: step.check_in.asks for step in faq.file.reminders.steps if step.check_in}

    assert asking == {1: "pain", 3: "swelling", 7: "pain", 14: "pain", 30: "fine"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_question_stands_below_the_advice_with_its_answers_first(faq: Faq, language: str) -> None:
    step, words = faq.steps["day_1"], Wording(faq, language)

    push = journey.reminder(step, words, detail=False, asks_for=DATE)

    assert step.check_in
    assert push.text.index(step.text[language]) < push.text.index(step.check_in.question[language])
    assert [b.action.rpartition(":")[2] for b in push.buttons] == [*ANSWERS["pain"], "person", "stop"]
    assert all(len(b.label) <= 20 and len(b.action) <= 48 and b.action.isascii() for b in push.buttons)


def test_a_step_without_a_question_has_no_answers(faq: Faq) -> None:
    push = journey.reminder(faq.steps["day_2"], Wording(faq, "en"), detail=False, asks_for=DATE)

    assert [b.action for b in push.buttons] == ["person", "stop"]


def test_the_longest_id_of_an_asking_step_fits_a_button_and_a_longer_one_is_refused() -> None:
    text = small_text().replace("- id: day_7\n", f"- id: {'d' * 20}\n")
    step = load(text).steps["d" * 20]

    actions = [b.action for b in checkins.buttons(step, DATE, Wording(load(text), "en"))]

    assert max(map(len, actions)) <= 48
    with pytest.raises(FaqProblems, match="a step with a check_in has at most 20"):
        load(text.replace("d" * 20, "d" * 21))


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(FaqProblems, match='came "mood"; allowed: "pain", "swelling" or "fine"'):
        load(small_text().replace("asks: fine", "asks: mood"))


def test_a_question_in_too_few_languages_is_refused() -> None:
    text = small_text().replace('          zh: "今天感觉怎么样？有没有担心的地方？"\n', "")

    with pytest.raises(FaqProblems, match=r'check_in\.question has no text in "zh"'):
        load(text)


# --- reading an answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("0", "none"), ("1", "mild"), ("3", "mild"), ("4", "moderate"), ("6", "moderate"), ("7", "severe"), ("10", "severe"),
        ("４", "moderate"), ("4/10", "moderate"), ("about 5.", "moderate"), ("8 out of 10", "severe"), ("5くらいです", "moderate"),
        ("3点", "mild"), ("약 3 정도예요", "mild"), ("大概2分", "mild"), ("No pain!", "none"), ("痛くないです。", "none"),
        ("조금 아파요", "mild"), ("不疼了", "none"), ("一點都不疼", "none"),
        ("11", None), ("4 days", None), ("3-4", None), ("better", None), ("4 and my eye hurts", None), ("", None), ("-1", None),
    ],
)  # fmt: skip
def test_a_number_or_a_plain_word_is_read_and_nothing_that_says_more(text: str, answer: str | None) -> None:
    assert read_answer(text, "pain") == answer


@pytest.mark.parametrize(
    ("asks", "text", "answer"),
    [
        ("swelling", "Better", "better"), ("swelling", "変わりません", "same"), ("swelling", "조금 심해졌어요", "worse"),
        ("swelling", "加重很多", "much_worse"), ("swelling", "4", None), ("swelling", "it is red", None),
        ("fine", "大丈夫です", "well"), ("fine", "有点担心", "worried"), ("fine", "no", None), ("fine", "yes", None),
    ],
)  # fmt: skip
def test_each_question_has_its_own_words(asks: str, text: str, answer: str | None) -> None:
    assert read_answer(text, asks) == answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_buttons_label_can_be_typed(faq: Faq, language: str) -> None:
    words = Wording(faq, language)
    for asks, step in {"pain": "day_7", "swelling": "day_3", "fine": "day_30"}.items():
        context = Context(CONSENTED, NOW, asked=Asked(step, DATE, NOW))
        for answer in ANSWERS[asks]:
            assert checkins.typed(checkins.label(answer, words), words, context) == Answered(
                step, DATE, answer
            )


@pytest.mark.parametrize(
    "action", ["check:", "check:day_1", "check:day_1:261120:x", "check:day_1:269999:none", "good:x", ""]
)
def test_what_is_no_button_of_ours_is_no_answer(action: str) -> None:
    assert tapped(action) is None


# --- the usual course


@pytest.mark.parametrize(
    ("answer", "day", "verdict"),
    [
        ("none", 1, "good"), ("none", 30, "good"), ("mild", 1, "usual"), ("mild", 13, "usual"), ("mild", 14, "call"),
        ("moderate", 0, "usual"), ("moderate", 6, "usual"), ("moderate", 7, "call"), ("severe", 0, "danger"),
        ("severe", 90, "danger"), ("better", 1, "good"), ("same", 3, "usual"), ("same", 13, "usual"), ("same", 14, "call"),
        ("worse", 1, "call"), ("much_worse", 1, "danger"), ("well", 30, "good"), ("worried", 30, "words"),
        ("mild", None, "usual"), ("severe", None, "danger"),
    ],
)  # fmt: skip
def test_an_answer_means_what_its_day_makes_of_it(answer: str, day: int | None, verdict: str) -> None:
    assert judge(answer, day) == verdict


def test_pain_that_grows_is_not_usual_even_on_a_day_when_as_much_of_it_would_be() -> None:
    assert judge("moderate", 3, ["mild", "better"]) == "call"
    assert judge("moderate", 3, ["moderate"]) == "usual"
    assert judge("mild", 3, ["none"]) == "usual"


def test_the_days_are_those_that_the_reviewed_texts_name(faq: Faq) -> None:
    told = {
        step.day for step in faq.file.reminders.steps if "Contact the clinic today if it still hurts" in step.text["en"]
    }  # fmt: skip

    assert told == {USUAL_UNTIL["mild"] + 1}
    assert "1 to 2 weeks" in faq.message("check_in_usual", "en")


# --- what is said to it


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("answer", "sign"), [("severe", "severe_pain"), ("much_worse", "rapid_swelling")])
def test_words_of_danger_get_the_danger_reply_alone_and_an_alert(
    faq: Faq, answer: str, sign: str, language: str
) -> None:
    patient = replace(CONSENTED, language=language)

    decision = press(faq, button_of(answer), patient=patient)

    assert decision.replies[0].text == Wording(faq, language).text(faq.red_flags[sign].reply)
    assert len(decision.replies) == 1
    assert (decision.outcome, decision.entry) == ("danger", sign)
    assert [(a.kind, a.urgency, a.red_flag) for a in alerts(decision)] == [("danger", "urgent", sign)]
    assert kept(decision) == [answer]


def test_a_danger_sign_that_staff_took_out_of_the_file_is_still_a_call_and_an_alert(faq: Faq) -> None:
    flags = [flag for flag in faq.file.red_flags if flag.id != "severe_pain"]
    fewer = Faq(faq.file.model_copy(update={"red_flags": flags}), "x", {})

    decision = press(fewer, button_of("severe"), CONSENTED)

    assert "+00 000 0001" in decision.replies[0].text
    assert [a.kind for a in alerts(decision)] == ["check_in"]


def test_outside_the_usual_course_the_clinic_is_to_be_called_and_staff_are_told_what_was_asked(
    faq: Faq,
) -> None:
    decision = press(faq, button_of("moderate", "day_7", 8), **on_day(8))

    text = decision.replies[0].text
    assert "Please call today: +00 000 0001" in text
    assert faq.message("urgent_signs", "en").split(":")[0] in text
    assert [(a.kind, a.urgency, a.red_flag) for a in alerts(decision)] == [("check_in", "call", None)]
    assert alerts(decision)[0].text == decision.said
    assert decision.said.startswith("How are you today?")
    assert decision.said.endswith("– 4–6 · medium")


def test_within_the_usual_course_nobody_is_alarmed_and_the_way_to_the_clinic_is_named(faq: Faq) -> None:
    decision = press(faq, button_of("moderate", "day_1", 1), **on_day(1))

    assert decision.effects == (KeepCheckIn("day_1", NOW.date() - dt.timedelta(days=1), "moderate"),)
    assert "+00 000 0001" in decision.replies[0].text


def test_a_worry_is_asked_for_in_words_and_the_words_go_the_way_of_every_message(faq: Faq) -> None:
    decision = press(faq, button_of("worried", "day_30", 30), **on_day(30))
    danger = meaning("danger", "my mouth droops", urgency="urgent", red_flag="facial_palsy")

    then = say(faq, "my mouth droops", danger, CONSENTED)

    assert "in your own words" in decision.replies[0].text
    assert alerts(decision) == []
    assert then.entry == "facial_palsy"


def test_a_second_tap_changes_the_answer_and_says_so(faq: Faq) -> None:
    before = CheckedIn("day_7", DATE, "moderate", NOW)

    changed = press(faq, button_of("none"), CONSENTED, check_ins=(before,))
    same = press(faq, button_of("moderate"), CONSENTED, check_ins=(before,))

    assert changed.replies[0].text.startswith("I have changed your answer.\n\nThank you")
    assert kept(changed) == ["none"]
    assert not same.replies[0].text.startswith("I have changed")


def test_an_answer_is_not_measured_against_the_one_that_it_replaces(faq: Faq) -> None:
    before = CheckedIn("day_7", DATE, "mild", NOW)

    assert alerts(press(faq, button_of("moderate"), CONSENTED, check_ins=(before,))) == []
    other = replace(before, step_id="day_1")
    assert alerts(press(faq, button_of("moderate"), CONSENTED, check_ins=(other,))) != []


def test_an_answer_is_not_measured_against_those_of_an_earlier_procedure(faq: Faq) -> None:
    before = CheckedIn("day_30", DATE - dt.timedelta(days=200), "none", NOW - dt.timedelta(days=4))

    assert alerts(press(faq, button_of("moderate"), CONSENTED, check_ins=(before,))) == []


def test_for_a_date_that_was_moved_it_is_answered_and_not_kept(faq: Faq) -> None:
    decision = press(faq, button_of("none", day=9), CONSENTED)

    assert decision.replies[0].text.startswith("Thank you")
    assert decision.effects == ()


def test_of_a_stranger_nothing_is_kept_and_danger_is_answered(faq: Faq) -> None:
    decision = press(faq, button_of("severe"))

    assert decision.outcome == "danger"
    assert kept(decision) == []


def test_a_step_that_left_the_plan_is_answered_all_the_same(faq: Faq) -> None:
    decision = press(faq, button_of("severe", "gone"), CONSENTED)

    assert (decision.outcome, kept(decision)) == ("danger", ["severe"])
    assert decision.said == "7–10 · severe"


# --- while others talk


def test_a_person_who_has_taken_over_sees_the_answer_and_the_bot_says_nothing(faq: Faq) -> None:
    decision = press(faq, button_of("worse"), CONSENTED, taken_over=True)

    assert (decision.replies, alerts(decision), kept(decision)) == ((), [], ["worse"])
    assert decision.said.endswith("A little worse")


def test_danger_is_answered_even_while_a_person_has_taken_over(faq: Faq) -> None:
    assert press(faq, button_of("severe"), CONSENTED, taken_over=True).outcome == "danger"


def test_a_typed_answer_is_taken_for_one_while_the_question_is_the_last_thing_said(faq: Faq) -> None:
    decision = say(
        faq,
        "4",
        patient=CONSENTED,
        asked=ASKED_PAIN,
        last_buttons=(Button("Swelling", "entry:swelling"),) * 4,
    )

    assert kept(decision) == ["moderate"]
    assert not any(isinstance(effect, RecordUnanswered) for effect in decision.effects)
    assert decision.said.endswith("– 4")


@pytest.mark.parametrize("context", [{"taken_over": True}, {"asking_wishes": True}, {"asked": None}])
def test_a_bare_number_that_may_be_meant_for_others_is_left_to_them(
    faq: Faq, context: dict[str, object]
) -> None:
    decision = say(faq, "4", patient=CONSENTED, **{"asked": ASKED_PAIN, **context})

    assert kept(decision) == []


def test_triage_sees_a_typed_answer_first(faq: Faq) -> None:
    danger = meaning("danger", "8", urgency="urgent", red_flag="severe_pain")

    decision = say(faq, "8", danger, CONSENTED, asked=ASKED_PAIN)

    assert (decision.outcome, kept(decision)) == ("danger", [])


@pytest.mark.parametrize("answer", ["none", "mild", "better", "same", "well"])
def test_a_plain_good_answer_raises_no_alarm_in_any_language(
    faq: Faq, understander: Understander, answer: str
) -> None:
    step = {"pain": "day_7", "swelling": "day_3", "fine": "day_30"}[checkins.ASKED_BY[answer]]
    context = Context(CONSENTED, NOW, asked=Asked(step, DATE, NOW))
    for language, line in zip(LANGUAGES, short_answers.WORDS[answer], strict=True):
        for text in line.split(", "):
            event = Incoming(ADDRESS, "1", NOW, "text", text)
            decision = decide(event, understander.understand(text, language), context, faq)

            assert (kept(decision), alerts(decision)) == ([answer], []), text


@pytest.mark.parametrize("answer", ["severe", "worse", "much_worse"])
def test_a_bad_answer_reaches_staff_in_any_words(faq: Faq, understander: Understander, answer: str) -> None:
    step = {"pain": "day_7", "swelling": "day_3"}[checkins.ASKED_BY[answer]]
    context = Context(CONSENTED, NOW, asked=Asked(step, DATE, NOW))
    for language, line in zip(LANGUAGES, short_answers.WORDS[answer], strict=True):
        for text in line.split(", "):
            event = Incoming(ADDRESS, "1", NOW, "text", text)
            decision = decide(event, understander.understand(text, language), context, faq)

            assert len(alerts(decision)) == 1, text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("it got worse and now I cannot breathe", "en"), ("5, and I have a fever of 39", "en"), ("息が苦しい", "ja"),
        ("숨을 못 쉬겠어요", "ko"), ("喘不上气", "zh"), ("better, but my mouth droops on one side", "en"),
    ],
)  # fmt: skip
def test_a_danger_sign_in_the_answer_is_heard(
    faq: Faq, understander: Understander, text: str, language: str
) -> None:
    understood: Understanding = understander.understand(text, language)
    event = Incoming(ADDRESS, "1", NOW, "text", text)

    decision = decide(event, understood, Context(CONSENTED, NOW, asked=ASKED_PAIN), faq)

    assert decision.outcome == "danger"


def test_a_question_is_open_for_a_day_and_until_something_else_was_said() -> None:
    sent = Asked("day_7", DATE, NOW)
    day = dt.timedelta(hours=24)

    assert open_question(sent, (), None, NOW + day) == sent
    assert open_question(sent, (), None, NOW + day + dt.timedelta(seconds=1)) is None
    assert open_question(sent, (), NOW - dt.timedelta(seconds=1), NOW) == sent
    assert open_question(sent, (), NOW + dt.timedelta(seconds=1), NOW + day) is None
    assert open_question(sent, (CheckedIn("day_7", DATE, "mild", NOW),), None, NOW) is None
    assert open_question(None, (), None, NOW) is None


# --- what is kept is shown


def test_my_data_lists_the_answers_in_the_patients_words(faq: Faq) -> None:
    answers = (CheckedIn("day_1", DATE, "moderate", NOW), CheckedIn("day_3", DATE, "better", NOW))

    text = press(faq, "data", replace(CONSENTED, language="ja"), check_ins=answers).replies[0].text

    assert "11月23日(月) 4〜6・中くらい; 11月23日(月) よくなった" in text
    assert "体調をお聞き" not in press(faq, "data", replace(CONSENTED, language="ja")).replies[0].text
