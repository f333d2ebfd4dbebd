"""The content of faq.yaml: complete, in length, free of medicines, readable, with whom to contact, the same in every language.

What a test cannot judge (is it true, is it kind) is for the doctor's review sheet: `smileline faq review`.
"""

import datetime as dt
import re
from collections.abc import Iterator

import pytest

from bot.content_table import table
from bot.core.checkins import label
from bot.core.values import Message
from bot.core.wording import Wording, to_traditional
from bot.review import sheet
from intents.faq import Entry, Faq
from intents.faq.rules import text_maps
from intents.short_answers import ANSWERS
from intents.understand import Understander
from intents.wordcheck import (
    LONGEST_SENTENCE,
    english_left,
    longest_sentence,
    reading_grade,
    traditional_left,
)
from tests.helpers import ROOT, topics

# English in words, the others in characters without spaces: what takes as long to read on a phone.
LENGTHS = {"en": (40, 110), "ja": (90, 320), "ko": (90, 300), "zh": (70, 260)}

# What nobody may be told to take; the product's own longer list is intents/medicines.yaml.
MEDICINES = re.compile(
    r"ibuprofen|paracetamol|acetaminophen|tylenol|advil|aspirin(?!-type)|amoxicillin|antibiotics? (?:cream|ointment)|arnica|bromelain"
    r"|ロキソニン|ロキソプロフェン|イブプロフェン|カロナール|アセトアミノフェン|アスピリン(?!系)|抗生剤を飲|アルニカ"
    r"|타이레놀|이부프로펜|아세트아미노펜|아스피린(?! ?계열)|항생제를 드|아르니카"
    r"|布洛芬|对乙酰氨基酚|扑热息痛|阿司匹林(?!类)|头孢|阿莫西林|芬必得|云南白药",
    re.I,
)
CONTACT = {
    "en": r"clinic|doctor|\{phone\}|\{emergency\}|emergency number",
    "ja": r"クリニック|医師|\{phone\}|\{emergency\}|救急",
    "ko": r"병원|의사|클리닉|\{phone\}|\{emergency\}|응급",
    "zh": r"诊所|医生|\{phone\}|\{emergency\}|急救",
}
NUMBER_WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
}  # fmt: skip
DATES = re.compile(r"\d+月\d+日|\d+월 ?\d+일|\d+ (?:November|December)|\d{4}-\d\d-\d\d")
SMALL = 4  # below it languages count differently in words: "both", 两边, 3つ
TOPICS = topics()


def size(text: str, language: str) -> int:
    return len(text.split()) if language == "en" else len(re.sub(r"\s", "", text))


def shown(faq: Faq) -> Iterator[tuple[str, str, str]]:
    """(name, language, text) of everything that a patient reads, the clinic's own names left out."""
    for path, texts in text_maps(faq.file):
        if path[-1] in ("questions", "examples") or path[0] == "clinic":
            continue
        for language, text in texts.items():
            yield ".".join(map(str, path)), language, text


def medical(faq: Faq) -> Iterator[tuple[str, dict[str, str]]]:
    """(name, text by language) of answers, windows, danger replies and reminders."""
    for entry in faq.file.entries:
        yield entry.id, dict(entry.answer)
        yield from ((f"{entry.id} from day {w.first}", dict(w.text)) for w in entry.by_day)
    yield from ((flag.id, dict(flag.reply)) for flag in faq.file.red_flags)
    for step in faq.file.reminders.steps:
        yield step.id, {code: f"{step.headline[code]}\n{step.text[code]}" for code in faq.languages}


def figures(text: str, language: str) -> set[int]:
    """Numbers from SMALL up, in digits or English words."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", DATES.sub("", text)).replace("半年", "6个月")
    found = [int(number) for number in re.findall(r"\d+", text)]
    if language == "en":
        found += [NUMBER_WORDS[w] for w in re.findall(r"[a-z]+", text.lower()) if w in NUMBER_WORDS]
    return {number for number in found if number >= SMALL}


def first_line(text: str) -> str:
    return text.strip().split("\n")[0]


def urgent_entries(faq: Faq) -> list[Entry]:
    return [entry for entry in faq.file.entries if entry.urgency in ("urgent", "emergency")]


def test_every_entry_speaks_every_language_of_the_clinic(faq: Faq) -> None:
    for entry in faq.file.entries:
        for language in faq.languages:
            assert entry.label[language].strip(), entry.id
            assert entry.answer[language].strip(), entry.id
            assert 6 <= len(entry.questions[language]) <= 12, (entry.id, language)


def test_answers_take_a_minute_to_read_and_no_more(faq: Faq) -> None:
    wrong = [
        (entry.id, language, size(entry.answer[language], language))
        for entry in faq.file.entries
        for language in faq.languages
        if not LENGTHS[language][0] <= size(entry.answer[language], language) <= LENGTHS[language][1]
    ]

    assert wrong == []


def test_no_medicine_is_named(faq: Faq) -> None:
    assert [(name, language) for name, language, text in shown(faq) if MEDICINES.search(text)] == []


def test_english_is_readable_after_eight_years_of_school(faq: Faq) -> None:
    hard = [
        (name, reading_grade(texts["en"])) for name, texts in medical(faq) if reading_grade(texts["en"]) > 8
    ]

    assert hard == []


def test_no_sentence_is_endless(faq: Faq) -> None:
    endless = [
        (name, language, longest_sentence(texts[language]))
        for name, texts in medical(faq)
        for language in faq.languages
        if language in LONGEST_SENTENCE and longest_sentence(texts[language])[0] > LONGEST_SENTENCE[language]
    ]

    assert endless == []


def test_urgent_answers_say_first_whom_to_contact(faq: Faq) -> None:
    missing = [
        (entry.id, language)
        for entry in urgent_entries(faq)
        for language in faq.languages
        if not re.search(CONTACT[language], first_line(entry.answer[language]), re.I)
    ]

    assert missing == []


def test_answers_that_end_in_a_call_name_whom(faq: Faq) -> None:
    for entry in faq.file.entries:
        if entry.urgency != "routine":
            for language in faq.languages:
                assert re.search(CONTACT[language], entry.answer[language], re.I), (entry.id, language)


def test_windows_that_raise_the_urgency_name_whom_to_contact(faq: Faq) -> None:
    for entry in faq.file.entries:
        for window in entry.by_day:
            if window.urgency != "routine":
                for language in faq.languages:
                    assert re.search(CONTACT[language], window.text[language], re.I), (entry.id, window.first)


def test_danger_replies_begin_with_a_number_to_call(faq: Faq) -> None:
    for flag in faq.file.red_flags:
        number = r"\{emergency\}|\{crisis\}" if flag.urgency == "emergency" else r"\{phone\}"
        for language in faq.languages:
            lines = [line for line in flag.reply[language].split("\n") if line.strip()]

            assert re.search(number, "\n".join(lines[:2])), (flag.id, language)
            assert 2 <= len(lines) <= 6, (flag.id, language, len(lines))


def test_figures_are_the_same_in_every_language(faq: Faq) -> None:
    wrong = []
    for name, texts in medical(faq):
        found = {language: figures(texts[language], language) for language in faq.languages}
        if len(set(map(frozenset, found.values()))) > 1:
            wrong.append((name, found))

    assert wrong == []


def test_rates_are_those_of_the_paper(faq: Faq) -> None:
    answer = faq.entries["side_effect_rates"].answer

    for language in faq.languages:
        assert figures(answer[language], language) == {26, 2827, 16, 11, 10, 7, 6, 5}, language
        assert re.search(r"2 ?(?:%|percent|パーセント)", answer[language]), language


def test_figures_of_the_coverage_list_stand_in_the_answer(faq: Faq) -> None:
    for topic in TOPICS["topics"]:
        entry = faq.entries[topic["id"]]
        wanted = figures(" ".join(topic["facts"]), "en")
        said = figures("\n".join([entry.answer["en"], *(w.text["en"] for w in entry.by_day)]), "en")

        assert wanted <= said, topic["id"]


def test_no_english_is_left_in_the_other_languages(faq: Faq) -> None:
    left = [
        (name, code, english_left(text))
        for name, code, text in shown(faq)
        if code != "en" and english_left(text)
    ]

    assert left == []


def test_chinese_is_written_in_simplified(faq: Faq) -> None:
    questions = [
        (entry.id, text)
        for entry in faq.file.entries
        for text in entry.questions["zh"]
        if traditional_left(text)
    ]
    texts = [
        (name, traditional_left(t)) for name, code, t in shown(faq) if code == "zh" and traditional_left(t)
    ]

    assert questions + texts == []


@pytest.mark.parametrize("language", ["en", "ja", "ko", "zh"])
def test_words_that_patients_are_told_to_write_are_obeyed(
    language: str, faq: Faq, understander: Understander
) -> None:
    texts = [faq.entries[id].answer[language] for id in ("reminders_help", "privacy_data", "contact_clinic")]  # type: ignore[index]
    texts += [
        faq.message(key, language) for key in ("help", "privacy", "reminders_stopped", "reminders_paused")
    ]
    told = {a or b or c for a, b, c in re.findall('"([^"]+)"|“([^”]+)”|「([^」]+)」', "\n".join(texts))}
    words = [word for word in told if not re.search(r"\d", word)]
    ignored = [word for word in words if understander.understand(word, language).service is None]

    assert len(words) >= 7
    assert ignored == []


def test_related_questions_lead_on(faq: Faq) -> None:
    for entry in faq.file.entries:
        assert 2 <= len(set(entry.see_also)) == len(entry.see_also) <= 5, entry.id
    reached = {id for entry in faq.file.entries for id in entry.see_also}

    assert set(faq.entries) - reached == {"smile_pain_causes"} - reached


def test_buttons_fit_where_they_are_shown(faq: Faq) -> None:
    for name, _, text in shown(faq):
        if name.startswith(("groups.", "messages.btn_")) or (
            name.endswith(".label") and not name.startswith("sources")
        ):
            assert len(text) <= 20, (name, text)


def test_no_answer_begins_with_a_bare_yes(faq: Faq) -> None:
    """Asked the other way round ("will they stay for ever?") it would say the opposite."""
    yes = re.compile(r"yes\b|はい|ええ|네[, ]|예[, ]|会的|是的|对，|可以，|要的|能，", re.I)
    told = [
        (entry.id, text)
        for entry in faq.file.entries
        for texts in (entry.answer, *(window.text for window in entry.by_day))
        for text in texts.values()
    ]
    assert [pair for pair in told if yes.match(pair[1])] == []


def test_taiwan_reads_its_own_words() -> None:
    shown = to_traditional("做完1个星期还疼，先不要蒸桑拿或汗蒸，也不碰烟酒。疼痛请在复诊时说。")

    assert shown == "做完1週還痛，先不要洗三溫暖或蒸氣浴，也不碰菸酒。疼痛請在回診時說。"


def test_placeholders_are_the_same_in_every_language(faq: Faq) -> None:
    wrong = []
    for path, texts in text_maps(faq.file):
        if path[0] in ("messages", "red_flags") and path[-1] not in ("questions", "examples"):
            used = {code: frozenset(re.findall(r"\{\w+\}", text)) for code, text in texts.items()}
            if len(set(used.values())) > 1:
                wrong.append((path, used))

    assert wrong == []


def test_what_a_lock_screen_may_show_names_no_face_and_no_procedure(faq: Faq) -> None:
    private = re.compile(
        r"thread|lift|surgery|swell|bruis|face|clinic|糸|リフト|施術|腫|顔|クリニック|실리프팅|시술|부기|얼굴|병원|线雕|埋线|肿|脸|诊所",
        re.I,
    )
    asking = [step.check_in for step in faq.file.reminders.steps if step.check_in]
    for language in faq.languages:
        words = Wording(faq, language)
        lines = [words("reminder_neutral", day=3), words("reminder_neutral_start", day=0)]
        lines += [words.text(dict(check_in.question)) for check_in in asking]
        lines += [label(answer, words) for answers in ANSWERS.values() for answer in answers]

        assert [line for line in lines if private.search(line)] == []


def test_reminders_end_with_how_to_stop(faq: Faq) -> None:
    from bot.core.journey import reminder

    for language in faq.languages:
        for step in faq.file.reminders.steps:
            day = dt.date(2026, 11, 20)
            message: Message = reminder(step, Wording(faq, language), detail=False, asks_for=day)

            assert "/stop" in message.text or any(b.action == "stop" for b in message.buttons)
            assert size(message.text, language) <= (120 if language == "en" else 420), (step.id, language)


def test_replies_to_a_check_in_name_the_clinics_number_and_no_judgement(faq: Faq) -> None:
    verdicts = re.compile(r"\bnormal\b|infect|complication|異常|正常|感染|정상|이상이|감염|并发症", re.I)
    for language in faq.languages:
        for key in ("check_in_good", "check_in_usual", "check_in_call"):
            assert "{phone}" in faq.message(key, language), (key, language)
        for key in ("check_in_good", "check_in_usual", "check_in_call", "check_in_worried"):
            assert not verdicts.search(faq.message(key, language)), (key, language)


def test_what_is_kept_is_said_where_consent_is_asked(faq: Faq) -> None:
    answers = {"en": "how you are", "ja": "体調をお聞きしたときのお返事", "ko": "주신 답", "zh": "您的回答"}
    for language in faq.languages:
        for kept in (
            faq.message("consent_ask", language),
            faq.message("privacy", language),
            faq.entries["privacy_data"].answer[language],
        ):
            assert answers[language] in kept


def test_content_page_is_the_one_made_from_the_file(faq: Faq) -> None:
    page = (ROOT / "docs" / "content.md").read_text(encoding="utf-8")

    assert page == table(faq), "run: smileline faq table > docs/content.md"


def test_review_sheet_has_a_page_for_everything_a_doctor_signs(faq: Faq) -> None:
    for language in faq.languages:
        html = sheet(faq, language)
        pages = len(faq.entries) + len(faq.red_flags) + len(faq.steps)

        assert html.count("<section>") == pages
        assert html.count('class="box"') == pages * 6
        assert f'<html lang="{language}">' in html


def test_review_sheet_shows_words_as_text_and_not_as_markup(faq: Faq) -> None:
    entry = faq.file.entries[0]
    odd = entry.model_copy(update={"label": {**entry.label, "en": "<b>&"}})
    file = faq.file.model_copy(update={"entries": [odd, *faq.file.entries[1:]]})

    assert "<h1>&lt;b&gt;&amp;</h1>" in sheet(Faq(file, "x", {}), "en")
