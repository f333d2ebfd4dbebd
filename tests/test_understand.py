"""Understanding: triage first, an answer when sure, choices when not, and honesty when nothing fits."""

import json
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intents import match, triage
from intents.evaluate import FIGURES, Report, evaluate, read_labelled
from intents.evidence import Evidence
from intents.faq import Faq, load
from intents.keyboard import from_english_layout
from intents.text import fold, normalise
from intents.understand import Understander
from tests.helpers import ROOT, understander
from tests.small_faq import FEW, small_text

LANGUAGES = ("en", "ja", "ko", "zh")


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("I have a fever of 38.9 and chills since last night", "fever_infection"),
        ("half my face won't move since this morning", "facial_palsy"),
        ("I can't breathe properly", "breathing_swallowing"),
        ("there is a thread sticking out of my cheek", "thread_out"),
        ("I want to die", "self_harm"),
        ("I want to disappear", "self_harm"),
        ("want to vanish", "self_harm"),
        ("昨日から38.5度の熱があって傷から膿が出ています", "fever_infection"),
        ("息が苦しいです", "breathing_swallowing"),
        ("顔の半分が動きません", "facial_palsy"),
        ("열이 39도까지 올라가고 고름이 나와요", "fever_infection"),
        ("숨쉬기가 힘들어요", "breathing_swallowing"),
        ("我发烧39度，伤口流脓", "fever_infection"),
        ("喘不过气来了", "breathing_swallowing"),
        ("半邊面郁唔到", "facial_palsy"),
    ],
)
def test_a_danger_sign_is_recognised_in_every_language(
    understander: Understander, text: str, sign: str
) -> None:
    meaning = understander.understand(text)

    assert (meaning.outcome, meaning.red_flag) == ("danger", sign)
    assert meaning.urgency in ("urgent", "emergency")


@pytest.mark.parametrize(
    "text",
    [
        "still bleeding", "I'm bleeding", "pain!!!", "出血しています", "痛い痛い痛い", "急に腫れた", "糸が出た",
        "피나요", "안 보여요", "더 부었어요", "아파 죽겠어요", "出血了", "又出血了", "疼死了", "看不清",
    ],
)  # fmt: skip
def test_a_report_of_a_word_or_two_is_recognised(understander: Understander, text: str) -> None:
    assert understander.understand(text).outcome == "danger"


@pytest.mark.parametrize(
    "text",
    [
        "shoe size 38.5",
        "오늘밤 출근해도 돼요?",
        "no fever, just a bit sore",
        "what if I get a fever?",
        "i could kill for a glass of wine, is it ok on day 6",
        "had a fever two weeks ago with a cold, all gone now, can I still come",
        "熱はないですが少し腫れています",
        "열은 없고 그냥 조금 부었어요",
        "没有发烧，就是有点肿",
    ],
)
def test_what_only_looks_like_a_danger_sign_is_no_alarm(understander: Understander, text: str) -> None:
    assert understander.understand(text).outcome != "danger"


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("can i drink tonight?", "alcohol"),
        ("can i fly this weekend", "flying_travel"),
        ("今夜お酒飲んでいい?", "alcohol"),
        ("歯医者行っていい?", "dental_treatment"),
        ("오늘 밤 술 마셔도 돼요?", "alcohol"),
        ("오늘 달리기 해도 돼요?", "exercise"),
        ("今晚可以喝酒吗", "alcohol"),
        ("第三天能化妆吗", "makeup"),
    ],
)
def test_the_plainest_questions_are_answered_outright(
    understander: Understander, text: str, topic: str
) -> None:
    meaning = understander.understand(text)

    assert (meaning.outcome, meaning.matches[0].id) == ("answer", topic)


def test_danger_sign_wins_over_perfect_match(understander: Understander) -> None:
    question = understander.faq.entries["alcohol"].questions["en"][0]

    assert understander.understand(question).matches[0].id == "alcohol"
    assert (
        understander.understand(f"{question} Also I can't breathe and my throat is closing").outcome
        == "danger"
    )


def test_danger_is_seen_in_another_language_than_the_patients(understander: Understander) -> None:
    assert understander.understand("息が苦しいです", hint="en").outcome == "danger"
    assert understander.understand("I can't breathe", hint="ko").outcome == "danger"


def test_a_new_question_of_the_staff_works_at_once_and_outweighs(understander: Understander) -> None:
    odd = "zorbification hour zibble zabble"
    text = small_text().replace(
        "    questions:\n      en:\n", f'    questions:\n      en:\n        - "{odd}"\n', 1
    )

    changed = understander.with_faq(load(text))

    assert understander.understand(odd).outcome != "answer"
    assert changed.understand(odd).matches[0].id == FEW[0]
    assert changed.understand(odd).outcome == "answer"


def test_an_entry_that_the_library_does_not_know_is_found_in_other_words_too(
    understander: Understander,
) -> None:
    asked = {"en": ["Where can I park my car?", "Is there parking at the clinic?", "Do you have a car park?"]}
    faq = understander.faq
    parking = faq.entries["cost"].model_copy(update={"id": "car_park", "questions": asked})
    more = faq.file.model_copy(update={"entries": [*faq.file.entries, parking]})

    changed = understander.with_faq(Faq(more, "more", faq.places))

    assert changed.understand("can i park my car at yours").matches[0].id == "car_park"
    assert changed.understand("can i park my car at yours").outcome == "answer"
    assert changed.understand("is there a car park near you").outcome in ("answer", "choices")


def test_entry_of_its_own_threshold_is_answered_only_when_surer(understander: Understander) -> None:
    text = "would it be ok to have a beer or two with dinner tonight"
    strict = load(small_text().replace("  - id: alcohol\n", "  - id: alcohol\n    threshold: 1.0\n"))

    assert understander.understand(text).outcome == "answer"
    assert understander.with_faq(strict).understand(text).outcome == "choices"


@pytest.mark.parametrize(
    "text", ["", "   ", "\x00\x01", "\u200b\u200e", "🙂", "…", "?", "a" * 64_000, "ت" * 400, "‮abc‬", "﷽" * 50]
)
def test_odd_messages_are_understood_as_nothing_without_an_error(
    understander: Understander, text: str
) -> None:
    assert understander.understand(text).outcome in ("unknown", "choices", "smalltalk")


def test_a_gate_that_errs_counts_as_possible_danger(understander: Understander) -> None:
    class Broken(match.Matcher):
        def evidence(self, text: object) -> Evidence:
            raise RuntimeError("the matcher is broken")

    broken = Understander(understander.faq, understander.brain, Broken.__new__(Broken))

    meaning = broken.understand("how long does swelling last")
    assert (meaning.outcome, meaning.red_flag, meaning.urgency) == ("danger", None, "urgent")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_understood(text: str) -> None:
    meaning = understander().understand(text)

    assert meaning.outcome in ("danger", "answer", "choices", "smalltalk", "unknown")
    assert not any(reason.startswith("failed:") for reason in meaning.why)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Can I drink tonight and when can I fly?", {"alcohol", "flying_travel"}),
        ("How long does the swelling last? And can I go to the gym on Saturday?", {"swelling", "exercise"}),
        ("今夜お酒飲んでもいいですか？あと、お風呂はいつから入れますか？", {"alcohol", "bath_sauna"}),
        ("腫れはいつ引きますか。それと、化粧はいつからできますか。", {"swelling", "makeup"}),
        ("술 마셔도 되나요? 그리고 사우나는 언제부터 가능해요?", {"alcohol", "bath_sauna"}),
        ("운동 언제부터 가능한가요 그리고 비행기 타도 될까요", {"exercise", "flying_travel"}),
        ("肿多久会消？可以化妆吗？", {"swelling", "makeup"}),
        ("幾時可以做運動？可唔可以飲酒？", {"exercise", "alcohol"}),
    ],
)
def test_each_of_two_questions_is_heard(understander: Understander, text: str, asked: set[str]) -> None:
    meaning = understander.understand(text)

    assert meaning.outcome in ("answer", "choices")
    assert {meaning.matches[0].id, *(match.id for match in meaning.also)} == asked


@pytest.mark.parametrize(
    "text",
    [
        "When can I drink again?",
        "I had my threads on Monday. I feel fine. When can I drink again?",
        "火曜に受けました。腫れは引きました。お酒はいつから飲めますか？",
    ],
)
def test_what_is_only_told_is_not_taken_for_a_question(understander: Understander, text: str) -> None:
    meaning = understander.understand(text)

    assert (meaning.matches[0].id, meaning.also) == ("alcohol", ())


def test_less_of_a_text_about_something_else_speaks_for_a_topic(understander: Understander) -> None:
    def support(text: str) -> float:
        return understander.brain.evidence(fold(text)).support

    asked, other = support("how long does the swelling last"), support("where do i buy guitar strings")
    assert 0 < other < asked <= 1
    assert support("") == 0


def test_danger_beside_two_questions_is_all_that_counts(understander: Understander) -> None:
    meaning = understander.understand("Can I drink tonight? And when can I fly? I can't breathe properly.")

    assert (meaning.outcome, meaning.also) == ("danger", ())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("why does it hurt when I smile", "en"),
        ("笑うと痛いです", "ja"),
        ("웃을 때 아파요", "ko"),
        ("笑的时候疼", "zh"),
        ("線拉完嘴張不太開 正常嗎", "zh"),
        ("副作用一覧", "ja"),
        ("dkvkdy", "ko"),
        ("!!!", "en"),
    ],
)
def test_language_is_that_of_the_script(understander: Understander, text: str, language: str) -> None:
    assert understander.understand(text).language == language


def test_script_that_says_nothing_takes_the_patients_language() -> None:
    assert normalise("🙂", "ko").language == "ko"
    assert normalise("予約", "ja").language == "ja"


def test_traditional_is_told_from_simplified() -> None:
    assert normalise("線拉完嘴張不太開").traditional
    assert not normalise("线雕后嘴张不开").traditional


def test_folding_joins_what_means_the_same() -> None:
    assert fold("ＳＷＥＬＬＩＮＧ") == "swelling"
    assert fold("イタイ") == "いたい"
    assert fold("腫脹") == fold("肿胀")
    assert fold("sooooo  sore\u200b") == "soo sore"
    assert fold("아파ㅠㅠㅠㅠㅠ") == "아파ㅠ"


def test_korean_typed_on_an_english_keyboard_is_read() -> None:
    assert from_english_layout("dkvkdy") == "아파요"
    assert from_english_layout("can i drink tonight") is None


def evidence(text: str, **signs: float) -> Evidence:
    return Evidence((), signs, {}, {}, 0.0, sum(signs.values()), 1.0, 0.0, "", mended=fold(text))


def judge(text: str, **signs: float) -> str | None:
    return triage.judge(normalise(text), evidence(text, **signs), understander().brain.lexicon).sign


def test_a_marker_or_a_word_of_service_may_be_mistyped() -> None:
    assert any("hypothetical" in why for why in understander().understand("waht if my face droops").why)
    assert understander().understand("delte my data").service == "delete_data"
    assert understander().understand("stpo").service == "stop"


def test_triage_adds_up_signs_that_point_the_same_way() -> None:
    half = max(triage.ALARM / 2, triage.CLEAR)

    assert judge("something is wrong", fever_infection=half, severe_pain=half) in (
        "fever_infection",
        "severe_pain",
    )
    assert judge("something is wrong", fever_infection=half) is None


@pytest.mark.parametrize(
    "text",
    [
        "what if it swells",
        "no swelling at all",
        "years ago it swelled",
        "もし腫れたら",
        "만약 부으면",
        "如果肿了",
    ],
)
def test_a_question_a_denial_or_a_memory_needs_more_likeness_than_a_statement(text: str) -> None:
    assert judge("it swells", rapid_swelling=triage.ALARM) == "rapid_swelling"
    assert judge(text, rapid_swelling=triage.ALARM) is None
    assert judge(text, rapid_swelling=triage.ALARM_MARKED) == "rapid_swelling"


@pytest.mark.parametrize(
    "text",
    [
        "38.5°C",
        "it says 39 degrees",
        "38度5分",
        "体温39.2度",
        "체온 38.7도",
        "ねつが38ど",
        "101.5 F",
        "发烧38点6度",
    ],
)
def test_a_measured_temperature_of_fever_is_a_report(text: str) -> None:
    assert triage.has_fever_temperature(fold(text))
    assert judge(text, fever_infection=triage.FEVER_LIKENESS) == "fever_infection"


@pytest.mark.parametrize(
    "text", ["36.8°C", "37度", "day 38", "138 F street", "38 threads", "40 years old", "45度"]
)
def test_other_numbers_are_no_fever(text: str) -> None:
    assert not triage.has_fever_temperature(fold(text))


# --- the regression gate: figures on the labelled questions, none of which is in the library

Gate = dict[str, Callable[[float], bool]]


@pytest.mark.parametrize(
    "text", ["36.5", "37", "37.4℃", "37度です", "36.8도예요", "97.9 F", "98.6", "37.2度。"]
)
def test_a_normal_temperature_and_nothing_else_is_no_report_and_nothing_routine(text: str) -> None:
    verdict = triage.judge(normalise(text), evidence(text, fever_infection=0.9), understander().brain.lexicon)

    assert (verdict.sign, verdict.wary) == (None, True)


@pytest.mark.parametrize(
    "text", ["37.5", "38.2", "39度", "100.4 F", "36.5 and pus is coming out", "熱36.9、膿が出る"]
)
def test_a_fever_or_more_than_a_temperature_is_judged_as_ever(text: str) -> None:
    assert judge(text, fever_infection=0.9) == "fever_infection"


GATE: Gate = {
    "top1": lambda percent: percent >= 89,
    "top3": lambda percent: percent >= 95,
    "answered_wrong": lambda percent: percent <= 5,
    "out_of_scope_answered": lambda percent: percent <= 8,
    "danger_recall": lambda percent: percent >= 96,
    "unsafe": lambda percent: percent <= 1.1,
    "false_alarm": lambda percent: percent <= 3,
    "near_miss_alarm": lambda percent: percent <= 15,
}
# Harder sets, and small ones: a line of 40 is 2.5 points, one of 66 danger reports 1.5.
HARDER: Gate = GATE | {
    "top1": lambda percent: percent >= 80,
    "top3": lambda percent: percent >= 90.5,
    "out_of_scope_answered": lambda percent: percent <= 10,
    "unsafe": lambda percent: percent <= 1.6,
    "false_alarm": lambda percent: percent <= 5,
    "near_miss_alarm": lambda percent: percent <= 25,
}
ELSEWHERE: Gate = {
    "out_of_scope_answered": lambda percent: percent <= 10,
    "out_of_scope_alarm": lambda percent: percent <= 6,
}
QUIET: Gate = {
    "top1": lambda percent: percent >= 86,
    "danger_recall": lambda percent: percent >= 85,
    "unsafe": lambda percent: percent <= 3,
    "false_alarm": lambda percent: percent <= 6,
    "near_miss_alarm": lambda percent: percent <= 20,
}
PLAIN: Gate = {
    "top1": lambda percent: percent >= 86,
    "top3": lambda percent: percent >= 95,
    "answered_wrong": lambda percent: percent <= 8,  # of some several answers would be right
    "false_alarm": lambda percent: percent <= 3,
}
EVERYDAY: Gate = {
    "danger_recall": lambda percent: percent >= 90,
    "unsafe": lambda percent: percent <= 4,
    "out_of_scope_alarm": lambda percent: percent <= 20,  # the words of people who are moved
    "false_alarm": lambda percent: percent <= 8,
}
GATES = {
    "eval": GATE, "unseen": GATE, "indirect": HARDER, "fresh": HARDER, "blind": GATE, "elsewhere": ELSEWHERE, "everyday": EVERYDAY,
    "quiet": QUIET, "plain": PLAIN,
}  # fmt: skip
FOLDERS = [  # `make check` looks at three
    pytest.param(name, marks=() if name in ("eval", "unseen", "elsewhere") else pytest.mark.slow)
    for name in GATES
]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_accuracy_on_labelled_questions_does_not_fall(
    understander: Understander, language: str, folder: str
) -> None:
    path = ROOT / "tests" / folder / f"{language}.jsonl"
    labelled = read_labelled(path.read_text(encoding="utf-8").splitlines(), path.name)

    report, _ = evaluate(labelled, understander.understand)

    percents = {name: report.figures[name].percent for name in GATES[folder]}
    assert {name: p for name, p in percents.items() if not GATES[folder][name](p)} == {}


@cache
def known_phrasings() -> set[str]:
    """The library's and the staff's, folded."""
    known, entries = understander().brain.phrases.items(), understander().faq.file.entries
    staffs = (question for entry in entries for texts in entry.questions.values() for question in texts)
    return {fold(text) for label, text in known if label[0] not in "~@"} | {fold(text) for text in staffs}


@pytest.mark.parametrize("folder", GATES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_labelled_question_is_in_the_library(language: str, folder: str) -> None:
    path = ROOT / "tests" / folder / f"{language}.jsonl"
    lines = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]

    assert [text for text in lines if fold(text) in known_phrasings()] == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("こんにちは", "hello"), ("わからない", "follow_up"), ("頑張ります", "ok"), ("sorry", "follow_up"), ("how so?", "follow_up"),
        ("the bleeding stopped", "good_news"), ("血は止まりました", "good_news"), ("통증은 점점 좋아지고 있어요", "good_news"),
        ("그래서 된다고요 안된다고요", "follow_up"), ("무슨 말인지 모르겠어요", "follow_up"), ("美到窒息", "good_news"),
        ("老公說我變醜了", "worry"), ("시술 망했어요 어떡해요", "worry"), ("im scared", "worry"),
    ],
)  # fmt: skip
def test_what_people_say_around_their_questions_is_no_danger(
    understander: Understander, text: str, key: str
) -> None:
    """Each of these once raised an alarm, or was answered with an article."""
    found = understander.understand(text)

    assert (found.outcome, found.small_talk) == ("smalltalk", key)


@pytest.mark.parametrize(
    "text",
    [
        "没事就是有点喘不上气，老毛病了", "no big deal but my mouth hangs on one side", "飲水會漏", "热得很，38.5度怎么办",
        "熱っぽいんですけど、お酒飲んでいいですか", "元気は元気、ただ38.7ある", "엄마가열이나고볼이땡땡부었는데어떡하죠", "ㅅㅂ 존나아파",
        "I took too many painkillers", "痛み止め10錠飲んじゃった", "bit feverish since last night, when can I drink?",
        "swelling gets worse by the hour, makeup ok?", "眼睛突然看不清，能上班吗",
    ],
)  # fmt: skip
def test_a_danger_waved_away_or_beside_a_question_is_heard(understander: Understander, text: str) -> None:
    assert understander.understand(text).outcome == "danger"


def test_labelled_line_that_is_broken_names_file_and_line() -> None:
    with pytest.raises(ValueError, match=r"x\.jsonl, line 2"):
        read_labelled(['{"text": "a", "kind": "topic"}', "{broken"], "x.jsonl")


def test_report_counts_what_its_names_say() -> None:
    assert set(Report().figures) == set(FIGURES)


@pytest.mark.parametrize(
    ("text", "hint", "language"),
    [
        ("kyou osake nondemo daijoubu desuka", "ja", "ja"),
        ("jintian keyi hejiu ma", "zh", "zh"),
        ("sul masyeodo dwaeyo", "ko", "ko"),
        ("can i drink tonight", "ja", "en"),
        ("ok", "ko", "en"),
        ("kyou osake nondemo daijoubu desuka", None, "en"),
    ],
)
def test_whoever_writes_their_language_in_latin_letters_reads_it_too(
    understander: Understander, text: str, hint: str | None, language: str
) -> None:
    assert understander.understand(text, hint).language == language
