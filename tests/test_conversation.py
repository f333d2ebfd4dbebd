"""The conversation, step by step, on plain values: no channel, no database, no clock."""

import datetime as dt
from dataclasses import replace

import pytest

from bot.core.conversation import decide
from bot.core.effects import (
    CarriedOut,
    Decision,
    EraseAll,
    GiveConsent,
    OpenAlert,
    RecordUnanswered,
    Relay,
    SetLanguage,
    SetProcedureDate,
    SetReminders,
    Unreachable,
)
from bot.core.values import Address, Button, Context, Incoming, Patient, Upcoming
from bot.core.wording import Wording
from intents.faq import Faq
from intents.types import Match, Understanding
from tests.helpers import NOW

ADDRESS = Address("fake", "7")
ANNA = Patient(ADDRESS, language="en")
CONSENTED = replace(ANNA, id=1, consent_at=NOW, procedure_date=dt.date(2026, 11, 20))


def meaning(outcome: str = "unknown", text: str = "words", **values: object) -> Understanding:
    return Understanding(text, "en", outcome, **values)  # type: ignore[arg-type]


def say(
    faq: Faq,
    text: str = "words",
    understood: Understanding | None = None,
    patient: Patient = ANNA,
    **context: object,
) -> Decision:
    event = Incoming(ADDRESS, "1", NOW, "text", text)
    return decide(
        event, understood or meaning(text=text), Context(patient, NOW, platform="Telegram", **context), faq
    )  # type: ignore[arg-type]


def press(faq: Faq, action: str, patient: Patient = ANNA, **context: object) -> Decision:
    event = Incoming(ADDRESS, "1", NOW, "action", action=action)
    return decide(event, None, Context(patient, NOW, platform="Telegram", **context), faq)  # type: ignore[arg-type]


def actions(decision: Decision) -> list[str]:
    return [button.action for message in decision.replies for button in message.buttons]


def test_danger_reply_comes_alone_and_opens_an_alert(faq: Faq) -> None:
    danger = meaning(
        "danger", urgency="urgent", red_flag="fever_infection", matches=(Match("fever_unwell", 0.99),)
    )

    decision = say(faq, "I have 39 of fever", danger)

    assert decision.replies[0].text.startswith("Call the clinic now: +00 000 0001")
    assert decision.effects == (OpenAlert("danger", "urgent", "fever_infection", "words"),)


def test_danger_wins_over_a_person_who_has_taken_over_and_over_a_typed_label(faq: Faq) -> None:
    danger = meaning("danger", urgency="emergency", red_flag="breathing_swallowing")

    decision = say(faq, "1", danger, taken_over=True, last_buttons=(Button("Yes", "delete:yes"),))

    assert decision.outcome == "danger"


def test_danger_without_a_known_sign_still_shows_the_way_to_a_person(faq: Faq) -> None:
    decision = say(faq, "x", meaning("danger", urgency="urgent", red_flag=None))

    assert "+00 000 0001" in decision.replies[0].text
    assert "119" in decision.replies[0].text
    assert actions(decision) == ["person"]


def test_the_bot_is_silent_while_a_person_has_taken_over(faq: Faq) -> None:
    assert say(faq, "hello", meaning("smalltalk", small_talk="hello"), taken_over=True).replies == ()


OWN = (
    ("delete", "delete_ask"),
    ("delete:yes", "delete"),
    ("delete:no", "delete_cancelled"),
    ("stop", "reminders_stopped"),
    ("resume", "reminders_on"),
    ("privacy", "privacy"),
    ("data", "my_data"),
    ("pair", "pair_code"),
)


@pytest.mark.parametrize(("action", "outcome"), OWN)
def test_what_a_patient_decides_about_their_data_is_done_beside_a_person(
    faq: Faq, action: str, outcome: str
) -> None:
    alone = press(faq, action, CONSENTED, fresh_code="123456")
    beside = press(faq, action, CONSENTED, fresh_code="123456", taken_over=True)

    assert (alone.outcome, beside.outcome) == (outcome, outcome)
    assert len(beside.replies) == 1
    assert actions(beside) == actions(alone)
    assert [e for e in beside.effects if not isinstance(e, CarriedOut)] == list(alone.effects)
    assert any(isinstance(e, CarriedOut) for e in beside.effects) is (action != "delete:yes")
    assert not any(isinstance(e, CarriedOut) for e in alone.effects)


@pytest.mark.parametrize("action", ["entry:swelling", "help", "person", "date:2026-11-20", "book"])
def test_other_buttons_are_the_persons_while_one_talks(faq: Faq, action: str) -> None:
    assert press(faq, action, CONSENTED, taken_over=True).effects == (Relay(),)


@pytest.mark.parametrize("text", ["/delete", "/stop", "/privacy", "/data", " /Stop "])
def test_a_typed_command_about_ones_data_is_done_beside_a_person(faq: Faq, text: str) -> None:
    assert Relay() not in say(faq, text, patient=CONSENTED, taken_over=True).effects


def test_words_are_the_persons_while_one_talks(faq: Faq) -> None:
    stop = say(faq, "stop", meaning(service="stop"), CONSENTED, taken_over=True)
    helped = say(faq, "/help", patient=CONSENTED, taken_over=True)

    assert (stop.effects, helped.effects) == ((Relay(),), (Relay(),))


def test_a_typed_yes_to_the_deletion_deletes_beside_a_person_too(faq: Faq) -> None:
    asked = (Button("Yes", "delete:yes"), Button("No", "delete:no"))

    assert say(faq, "yes", patient=CONSENTED, taken_over=True, last_buttons=asked).effects == (EraseAll(),)
    assert say(faq, "yes", patient=CONSENTED, taken_over=True).effects == (Relay(),)


@pytest.mark.parametrize(
    ("situation", "told"), [({}, False), ({"taken_over": True}, True), ({"alert_open": True}, True)]
)
def test_who_deletes_all_is_told_that_the_talk_with_staff_ends(
    faq: Faq, situation: dict[str, object], told: bool
) -> None:
    [asked] = press(faq, "delete", CONSENTED, **situation).replies

    assert ("conversation with the clinic's staff will end" in asked.text) is told
    assert ("+00 000 0001" in asked.text) is told


def test_answer_names_its_source_and_offers_related_questions(faq: Faq) -> None:
    decision = say(faq, "swelling?", meaning("answer", matches=(Match("swelling", 0.9),)))

    assert "Source: " in decision.replies[0].text
    assert actions(decision) == [f"entry:{id}" for id in faq.entries["swelling"].see_also]


def test_what_was_asked_beside_it_stands_below_the_answer(faq: Faq) -> None:
    asked = meaning("answer", matches=(Match("swelling", 0.9),), also=(Match("alcohol", 0.8),))

    decision = say(faq, understood=asked)

    assert decision.entry == "swelling"
    assert faq.message("also_asked", "en") in decision.replies[0].text
    assert actions(decision) == ["entry:alcohol"]


def test_what_was_asked_beside_it_is_among_the_choices(faq: Faq) -> None:
    asked = meaning(
        "choices",
        matches=(Match("swelling", 0.4), Match("cost", 0.2), Match("smile_pain_duration", 0.1)),
        also=(Match("alcohol", 0.8),),
    )

    assert actions(say(faq, understood=asked))[:3] == ["entry:swelling", "entry:alcohol", "entry:cost"]


def test_was_it_helpful_stands_above_what_else_was_asked(faq: Faq) -> None:
    asked = meaning("answer", matches=(Match("swelling", 0.9),), also=(Match("alcohol", 0.8),))

    text = say(faq, understood=asked, ask_helpful=True).replies[0].text

    assert text.endswith(faq.message("also_asked", "en"))
    assert faq.message("helpful_ask", "en") in text


def test_what_holds_on_the_recovery_day_comes_first_and_raises_the_urgency(faq: Faq) -> None:
    late = replace(CONSENTED, procedure_date=dt.date(2026, 11, 11))

    decision = say(faq, "swelling?", meaning("answer", matches=(Match("swelling", 0.9),)), late)

    window = faq.entries["swelling"].window(12)
    assert window
    today, general = (
        f"You are on day 12. {faq.say(window.text, 'en')}",
        faq.say(faq.entries["swelling"].answer, "en"),
    )
    assert decision.replies[0].text.startswith(f"{today}\n\nIn general:\n{general}")
    assert actions(decision)[0] == "person"


def test_what_holds_for_ever_counts_no_days(faq: Faq) -> None:
    long_ago = replace(CONSENTED, procedure_date=dt.date(2026, 6, 1))

    text = (
        say(faq, "swelling?", meaning("answer", matches=(Match("swelling", 0.9),)), long_ago).replies[0].text
    )

    window = faq.entries["swelling"].window(175)
    assert window
    assert text.startswith(faq.say(window.text, "en"))


def test_before_the_procedure_no_window_holds(faq: Faq) -> None:
    future = replace(CONSENTED, procedure_date=dt.date(2026, 12, 1))

    decision = say(faq, "swelling?", meaning("answer", matches=(Match("swelling", 0.9),)), future)

    assert decision.replies[0].text.startswith(faq.say(faq.entries["swelling"].answer, "en"))


@pytest.mark.parametrize("outcome", ["choices", "unknown"])
def test_when_unsure_the_urgent_signs_and_a_person_are_always_there(faq: Faq, outcome: str) -> None:
    decision = say(
        faq,
        "hm",
        meaning(
            outcome,
            matches=(Match("swelling", 0.3), Match("alcohol", 0.2), Match("cost", 0.1), Match("makeup", 0.1)),
        ),
    )

    assert faq.message("urgent_signs", "en").split(":")[0] in decision.replies[0].text
    assert "person" in actions(decision)
    assert any(isinstance(effect, RecordUnanswered) for effect in decision.effects)


def test_choices_are_three_at_most_in_the_patients_words(faq: Faq) -> None:
    matches = tuple(Match(id, 0.2) for id in ("swelling", "alcohol", "cost", "makeup"))

    buttons = say(faq, "hm", meaning("choices", matches=matches)).replies[0].buttons

    assert [b.label for b in buttons[:3]] == [faq.say(faq.entries[m.id].label, "en") for m in matches[:3]]
    assert [b.action for b in buttons[3:]] == ["none", "person"]


def test_typed_label_or_number_presses_the_button(faq: Faq) -> None:
    offered = (Button("Swelling", "entry:swelling"), Button("Alcohol", "entry:alcohol"))

    assert say(faq, "2", last_buttons=offered).entry == "alcohol"
    assert say(faq, "swelling", last_buttons=offered).entry == "swelling"


@pytest.mark.parametrize("text", ["Pause reminders", "暂停提醒", "暫停提醒", "알림 일시정지"])
def test_a_buttons_name_is_obeyed_whenever_it_is_typed(faq: Faq, text: str) -> None:
    said = {"Pause reminders": "en", "알림 일시정지": "ko"}.get(text, "zh")
    understood = Understanding(text, said, "unknown", traditional=text == "暫停提醒")

    assert say(faq, text, understood, CONSENTED).effects == (SetReminders("paused"),)


def test_a_date_asks_for_consent_before_anything_is_kept(faq: Faq) -> None:
    decision = say(faq, "20 Nov")

    assert decision.effects == ()
    assert actions(decision)[:2] == ["consent:2026-11-20", "consent:no"]


def test_consent_keeps_the_date_and_says_which_day_it_is(faq: Faq) -> None:
    decision = press(faq, "consent:2026-11-20")

    assert decision.effects == (GiveConsent(), SetLanguage("en"), SetProcedureDate(dt.date(2026, 11, 20)))
    assert "day 3" in decision.replies[-1].text


ASKED = (Button("I agree", "consent:2026-11-20"), Button("No, thank you", "consent:no"))


@pytest.mark.parametrize("text", ["大丈夫です", "알겠습니다"])
@pytest.mark.parametrize("argument", ["2026-11-20", "pair-123456", "AAAAAAAAAAAA"])
def test_what_is_neither_yes_nor_no_is_asked_again(faq: Faq, text: str, argument: str) -> None:
    asked = (Button("I agree", f"consent:{argument}"), Button("No, thank you", "consent:no"))
    ok = meaning("smalltalk", text=text, small_talk="ok")

    again = say(faq, text, ok, last_buttons=asked)

    assert (again.outcome, again.replies[0].buttons, again.effects) == ("consent_ask", asked, ())
    assert say(faq, text, ok).outcome == "smalltalk"


@pytest.mark.parametrize("text", ["yes", "Yeah, sure!", "はい", "同意", "네, 괜찮아요", "好的", "OK"])
def test_a_plain_yes_to_the_question_is_consent(faq: Faq, text: str) -> None:
    decision = say(faq, text, last_buttons=ASKED)

    assert SetProcedureDate(dt.date(2026, 11, 20)) in decision.effects
    assert say(faq, text, last_buttons=(Button("Talk to a person", "person"),)).outcome != "person"


@pytest.mark.parametrize("text", ["no thanks", "いいえ", "아니요", "不用了"])
def test_a_plain_no_to_the_question_keeps_nothing(faq: Faq, text: str) -> None:
    assert say(faq, text, last_buttons=ASKED).outcome == "consent_declined"


def test_a_plain_yes_deletes_nothing(faq: Faq) -> None:
    asked = tuple(button for message in press(faq, "delete").replies for button in message.buttons)

    assert say(faq, "ok", last_buttons=asked).outcome != "delete"


@pytest.mark.parametrize(
    ("text", "outcome"), [("係呀", "delete_ask"), ("sure", "delete_ask"), ("唔使", "delete_cancelled")]
)
def test_another_yes_to_the_deletion_is_asked_again_and_a_no_ends_it(
    faq: Faq, text: str, outcome: str
) -> None:
    asked = tuple(button for message in press(faq, "delete").replies for button in message.buttons)

    assert say(faq, text, last_buttons=asked).outcome == outcome


def test_a_complaint_is_offered_a_person_and_a_yes_calls_one(faq: Faq) -> None:
    offered = say(faq, understood=meaning("smalltalk", small_talk="complaint")).replies[-1]

    assert offered.buttons[0].action == "person:yes"
    assert say(faq, "yes please", last_buttons=offered.buttons).outcome == "person"


FOLLOW_UP = meaning("smalltalk", small_talk="follow_up")


def test_what_is_said_about_the_last_answer_gets_it_in_short(faq: Faq) -> None:
    decision = say(faq, "so is that a yes?", FOLLOW_UP, last_entry="alcohol")

    full = faq.entries["alcohol"].answer["en"].splitlines()
    assert "\n".join(full[:2]) in decision.replies[0].text
    assert full[-1] not in decision.replies[0].text
    assert actions(decision) == ["entry:alcohol", "person"]


def test_in_short_means_what_holds_today_too(faq: Faq) -> None:
    decision = say(faq, "and tomorrow?", FOLLOW_UP, patient=CONSENTED, last_entry="swelling")

    entry, text = faq.entries["swelling"], decision.replies[0].text
    window = entry.window(3)
    assert window is not None
    assert window.text["en"] in text
    assert entry.answer["en"].splitlines()[0] in text


def test_an_answer_that_says_to_call_is_never_shortened(faq: Faq) -> None:
    decision = say(faq, "really?", FOLLOW_UP, last_entry="fever_unwell")

    assert faq.entries["fever_unwell"].answer["en"].strip() in decision.replies[0].text


@pytest.mark.parametrize(("entry", "told"), [("thread_exposure", True), ("alcohol", False)])
def test_an_answer_that_says_to_call_now_says_whom(faq: Faq, entry: str, told: bool) -> None:
    [reply] = press(faq, f"entry:{entry}").replies

    assert (Wording(faq, "en")("numbers") in reply.text) is told


def test_an_alarm_is_repeated_when_it_is_not_understood(faq: Faq) -> None:
    decision = say(faq, "what do you mean", FOLLOW_UP, last_entry="vision")

    assert decision.replies == say(faq, understood=meaning("danger", red_flag="vision")).replies
    assert decision.effects == ()


def test_a_follow_up_of_nothing_asks_for_the_whole_question_with_the_urgent_signs(faq: Faq) -> None:
    decision = say(faq, "really?", FOLLOW_UP)

    words = Wording(faq, "en")
    assert decision.replies[0].text == f"{words('follow_up_none')}\n\n{words('urgent_signs')}"


@pytest.mark.parametrize("key", ["worry", "complaint"])
def test_who_is_troubled_is_offered_a_person_and_reads_the_urgent_signs(faq: Faq, key: str) -> None:
    [reply] = say(faq, understood=meaning("smalltalk", small_talk=key)).replies

    assert reply.text.endswith(Wording(faq, "en")("urgent_signs"))
    assert reply.buttons[0].action == "person:yes"


WHICH_DAY = (Button("Today", "date:2026-11-23"), Button("Yesterday", "date:2026-11-22"))


@pytest.mark.parametrize("text", ["last night", "11/5", "yestarday"])
def test_a_day_that_we_asked_for_is_no_danger_whatever_it_resembles(faq: Faq, text: str) -> None:
    danger = meaning("danger", text=text, urgency="urgent", red_flag="severe_pain")

    assert say(faq, text, danger, last_buttons=WHICH_DAY).outcome in ("consent_ask", "date_ambiguous")
    assert say(faq, f"{text}, it is getting worse", danger, last_buttons=WHICH_DAY).outcome == "danger"
    assert say(faq, text, danger).outcome == "danger"


@pytest.mark.parametrize("text", ["I had my threads done yesterday", "my lift was on 20 Nov"])
def test_that_it_was_done_is_no_danger_either(faq: Faq, text: str) -> None:
    danger = meaning("danger", text=text, urgency="urgent", red_flag="severe_pain")

    assert say(faq, text, danger).outcome == "consent_ask"
    assert say(faq, f"{text} and now I am dizzy", danger).outcome == "danger"


@pytest.mark.parametrize(
    "text", ["昨日糸リフトしました", "昨日です", "今朝受けました", "어제 실리프팅 했어요", "琴日做咗線雕"]
)
def test_that_it_was_done_is_no_danger_in_east_asia(faq: Faq, text: str) -> None:
    language = {"昨": "ja", "今": "ja", "어": "ko"}.get(text[0], "zh")
    danger = Understanding(text, language, "danger", "urgent", "vision")

    assert say(faq, text, danger).outcome == "consent_ask"


@pytest.mark.parametrize(
    "text", ["39 last night", "昨晚吐", "今天晕了", "肿三天了", "어제 피", "昨日血", "10 today"]
)
def test_a_day_and_a_word_more_is_a_report_also_when_we_asked_for_a_day(faq: Faq, text: str) -> None:
    danger = Understanding(
        text, {"昨": "ja", "어": "ko"}.get(text[0], "zh"), "danger", "urgent", "severe_pain"
    )  # type: ignore[arg-type]

    assert say(faq, text, danger, last_buttons=WHICH_DAY).outcome == "danger"


def test_declining_keeps_nothing(faq: Faq) -> None:
    assert press(faq, "consent:no").effects == ()


def test_with_consent_a_new_date_is_kept_at_once(faq: Faq) -> None:
    decision = say(faq, "21 Nov", patient=CONSENTED)

    assert SetProcedureDate(dt.date(2026, 11, 21)) in decision.effects


def test_a_day_that_may_be_said_of_anything_moves_no_plan_unasked(faq: Faq) -> None:
    decision = say(faq, "last night", patient=CONSENTED)

    assert (decision.outcome, decision.effects) == ("ask_date", ())
    assert actions(decision) == ["date:2026-11-22"]
    asked = decision.replies[0].buttons
    assert say(faq, "yesterday", patient=CONSENTED, last_buttons=asked).effects[-1:] == (
        SetProcedureDate(dt.date(2026, 11, 22)),
    )
    assert say(faq, "3 days ago", patient=CONSENTED).outcome == "date"  # the day that is kept already


def test_a_future_date_is_kept_and_said_to_be_in_the_future(faq: Faq) -> None:
    decision = press(faq, "date:2026-12-24", CONSENTED)

    assert "24 December 2026" in decision.replies[0].text
    assert SetProcedureDate(dt.date(2026, 12, 24)) in decision.effects


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("date:2025-11-22", "date_too_old"),
        ("date:2028-11-23", "date_too_far"),
        ("date:2026-02-31", "date_impossible"),
        ("date:nonsense", "date_impossible"),
        ("consent:1999-01-01", "date_too_old"),
        ("consent:nonsense", "consent"),
    ],
)
def test_a_date_out_of_range_gets_a_kind_reply_and_keeps_nothing(faq: Faq, action: str, outcome: str) -> None:
    decision = press(faq, action, CONSENTED)

    assert (decision.outcome, decision.effects) == (outcome, ())
    assert decision.replies[0].text


def test_the_last_day_that_reminders_cover_is_accepted(faq: Faq) -> None:
    assert press(faq, "date:2025-11-23", CONSENTED).outcome == "date"


def test_ambiguous_date_offers_both(faq: Faq) -> None:
    assert actions(say(faq, "3/4")) == ["date:2027-04-03", "date:2027-03-04"]


def test_asking_for_the_date_offers_a_picker(faq: Faq) -> None:
    picker = press(faq, "date").replies[0].picker

    assert picker
    assert (picker.first, picker.initial) == (dt.date(2025, 11, 23), dt.date(2026, 11, 23))


def test_my_reminders_lists_the_next_ones_on_the_clinics_clock(faq: Faq) -> None:
    upcoming = (Upcoming(dt.datetime(2026, 11, 25, 1, 0, tzinfo=dt.UTC), "day_5"),)

    decision = press(faq, "reminders", CONSENTED, upcoming=upcoming)

    assert "Wed 25 Nov 10:00" in decision.replies[0].text
    assert actions(decision) == ["pause", "stop", "date"]


def test_a_reminder_that_is_due_and_waits_for_the_morning_is_not_among_the_next_ones(faq: Faq) -> None:
    steps = list(faq.steps)
    waits, comes = (
        Upcoming(NOW - dt.timedelta(hours=5), steps[0]),
        Upcoming(NOW + dt.timedelta(days=1), steps[1]),
    )

    both = press(faq, "reminders", CONSENTED, upcoming=(waits, comes)).replies[0].text

    assert both == press(faq, "reminders", CONSENTED, upcoming=(comes,)).replies[0].text


def test_reminders_that_nobody_has_are_not_paused(faq: Faq) -> None:
    assert press(faq, "pause", ANNA).effects == ()


def test_reminders_are_paused_resumed_and_stopped(faq: Faq) -> None:
    assert press(faq, "pause", CONSENTED).effects == (SetReminders("paused"),)
    assert press(faq, "resume", CONSENTED).effects == (SetReminders("on"),)
    assert press(faq, "stop", CONSENTED).effects == (SetReminders("stopped"),)


def test_word_of_service_is_obeyed(faq: Faq) -> None:
    stop = meaning("answer", matches=(Match("reminders_help", 0.9),), service="stop")

    assert say(faq, "stop it", stop, CONSENTED).effects == (SetReminders("stopped"),)


def test_person_is_told_when_the_clinic_is_open(faq: Faq) -> None:
    decision = press(faq, "person", staff_reachable=True)

    assert decision.effects == (OpenAlert("person", "call", None, ""),)
    assert "10:00" in decision.replies[0].text


def test_person_at_night_hears_when_the_clinic_opens(faq: Faq) -> None:
    event = Incoming(ADDRESS, "1", NOW, "action", action="person")
    night = dt.datetime(2026, 11, 25, 14, 0, tzinfo=dt.UTC)  # Wednesday 23:00; closed on Thursday

    decision = decide(event, None, Context(ANNA, night, staff_reachable=True), faq)

    assert "Fri 27 Nov 10:00" in decision.replies[0].text


def test_person_without_a_staff_chat_gets_the_phone_number(faq: Faq) -> None:
    assert "+00 000 0001" in press(faq, "person").replies[0].text


def test_my_data_says_what_is_kept_and_nothing_is_when_nothing_is(faq: Faq) -> None:
    assert press(faq, "data").outcome == "my_data"
    assert "20 November 2026" in press(faq, "data", CONSENTED).replies[0].text


def test_deleting_asks_first(faq: Faq) -> None:
    assert press(faq, "delete", CONSENTED).effects == ()
    assert press(faq, "delete:no", CONSENTED).effects == ()
    assert press(faq, "delete:yes", CONSENTED).effects == (EraseAll(),)


def test_source_of_the_last_answer_is_told_with_its_doi(faq: Faq) -> None:
    decision = press(faq, "source", last_entry="side_effect_rates")

    assert "https://doi.org/10.1101/2025.03.10.25323087" in decision.replies[0].text


def test_language_can_be_chosen(faq: Faq) -> None:
    assert f"lang:{faq.languages[0]}" in actions(press(faq, "language"))
    assert press(faq, "lang:en").effects == (SetLanguage("en"),)


def test_unknown_button_and_old_entry_get_an_answer_all_the_same(faq: Faq) -> None:
    assert press(faq, "entry:gone").outcome == "unknown"
    assert press(faq, "nonsense:1").outcome == "help"
    assert press(faq, "lang:xx").outcome == "language"


@pytest.mark.parametrize("kind", ["photo", "voice", "sticker", "other"])
def test_what_cannot_be_read_gets_a_kind_reply_and_a_person(faq: Faq, kind: str) -> None:
    decision = decide(Incoming(ADDRESS, "1", NOW, kind), None, Context(ANNA, NOW), faq)  # type: ignore[arg-type]

    assert decision.replies[0].text == faq.message(f"unsupported_{kind}", "en").format(
        phone="+00 000 0001", emergency="119"
    )
    assert "person" in actions(decision)


def test_too_long_text_is_answered_with_the_urgent_signs(faq: Faq) -> None:
    assert say(faq, "x" * 5000, meaning(text="x" * 4096)).outcome == "too_long"


def test_leaving_switches_the_channel_off(faq: Faq) -> None:
    assert decide(Incoming(ADDRESS, "1", NOW, "left"), None, Context(ANNA, NOW), faq).effects == (
        Unreachable(),
    )


def test_joining_greets_and_offers_the_languages_until_one_is_chosen(faq: Faq) -> None:
    event = Incoming(ADDRESS, "1", NOW, "joined")

    assert len(decide(event, None, Context(replace(ANNA, language=None), NOW), faq).replies) == 2
    assert len(decide(event, None, Context(ANNA, NOW), faq).replies) == 1


def test_every_label_of_every_button_fits_a_messenger(faq: Faq) -> None:
    for action in ("start", "help", "date", "reminders", "person", "privacy", "data", "language", "delete"):
        for message in press(faq, action, CONSENTED).replies:
            assert all(len(button.label) <= 20 and len(button.action) <= 48 for button in message.buttons)


def test_a_typed_command_is_a_word_of_no_language(faq: Faq) -> None:
    korean = replace(ANNA, language="ko")

    assert say(faq, "/date", patient=korean).replies[0].text == faq.message("ask_date", "ko")


def test_my_recovery_says_the_day_and_what_comes_next(faq: Faq) -> None:
    coming = tuple(
        Upcoming(NOW + dt.timedelta(days=n), step.id) for n, step in enumerate(faq.file.reminders.steps[:4])
    )

    card = press(faq, "recovery", CONSENTED, upcoming=coming).replies[0]

    assert card.heading == "You are on day 3."
    assert card.text.splitlines()[0] == "Procedure date: 20 November 2026"
    assert len(card.text.splitlines()) == 4  # the date, a header and two of the four
    assert card.words.startswith("You are on day 3.\n")
    assert [button.action for button in card.buttons] == ["reminders", "date", "person"]


def test_my_recovery_before_the_day_and_after_a_stop(faq: Faq) -> None:
    before = replace(CONSENTED, procedure_date=dt.date(2026, 12, 1), reminders="stopped")

    card = press(faq, "recovery", before).replies[0]

    assert card.heading == faq.message("btn_recovery", "en")
    assert faq.message("reminders_stopped", "en")[:20] in card.text


def test_my_recovery_without_a_date_asks_for_it(faq: Faq) -> None:
    assert press(faq, "recovery").outcome == "ask_date"


def test_an_answers_button_tells_where_it_comes_from_whatever_was_said_since(faq: Faq) -> None:
    answer = press(faq, "entry:side_effect_rates")

    assert "source:side_effect_rates" in actions(answer)
    assert "https://" in press(faq, "source:side_effect_rates", last_entry="alcohol").replies[0].text
    assert "source:swelling" not in actions(press(faq, "entry:swelling"))  # its sources have no address


def test_traditional_words_are_those_of_taiwan(faq: Faq) -> None:
    words = Wording(faq, "zh", True, "LINE")

    assert words.text({"zh": "写“我”，可能引起炎症；洗面奶和激光"}) == "寫「我」，可能引起發炎；洗面乳和雷射"
