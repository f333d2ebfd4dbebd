"""The plan, lateness, quiet hours and the decision at send time: plain functions, both sides of every edge."""

import datetime as dt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.delivery import RETRY_KEY_HOLDS, Due, End, Send, Wait, after_failure, decide
from bot.core.pacing import LONGEST_WAIT_SECONDS, Lane, Rate, backoff_seconds, is_blocked, take_slots
from bot.core.reminders import CATCH_UP_LIMIT, TRANSITIONS, Planned, is_quiet, plan, quiet_ends, settle
from bot.core.values import Address
from intents.faq import Faq
from intents.faq.shape import QuietHours
from tests.outbox_fakes import DAY_0, all_urgent, at

NIGHT = QuietHours(start="21:00", end="08:00")
MINUTE = dt.timedelta(minutes=1)


def due(**changes: object) -> Due:
    """day_1, due at 10:00 and useful on its own until 18:00."""
    usual = Due(
        id=1,
        patient_id=1,
        step_id="day_1",
        due_at=at(1, 10),
        expires_at=at(1, 18),
        procedure_date=DAY_0,
        current_date=DAY_0,
        reminders="on",
        address=Address("telegram", "1"),
        alert_open=False,
        newer_due=False,
        language="en",
        traditional=False,
        timezone=None,
        detail=False,
        attempts=0,
        unknowns=0,
        doubtful=False,
        first_tried_at=None,
        retry_key="k",
    )
    return usual._replace(**changes)  # type: ignore[arg-type]


def test_every_step_is_planned_in_order_on_the_clinics_clocks(faq: Faq) -> None:
    planned = plan(faq.file.reminders.steps, DAY_0, "Asia/Tokyo")

    assert [item.step_id for item in planned] == [step.id for step in faq.file.reminders.steps]
    assert planned[1].due_at == at(1, 10)


@given(now=st.integers(-400, 4800).map(lambda hours: at(0, 0) + dt.timedelta(hours=hours)))
def test_whenever_someone_enrols_at_most_one_past_step_is_sent(now: dt.datetime) -> None:
    planned = [Planned(str(n), at(n, 10), at(n, 18), "fold" if n % 2 else "skip") for n in range(0, 180, 7)]

    settled = settle(planned, now)

    past = [item for item in settled if item.planned.due_at <= now and item.state == "pending"]
    assert len(past) <= 1
    assert all(item.state == "pending" for item in settled if item.planned.due_at > now)
    assert all(item.reason for item in settled if item.state == "missed")


def test_a_skip_step_that_is_too_late_leaves_the_turn_to_the_one_before() -> None:
    planned = [Planned("a", at(1, 10), at(1, 18), "fold"), Planned("b", at(2, 10), at(2, 11), "skip")]

    settled = {item.planned.step_id: (item.state, item.reason) for item in settle(planned, at(2, 12))}

    assert settled == {"a": ("pending", None), "b": ("missed", "past")}


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"), [(20, 59, False), (21, 0, True), (3, 0, True), (7, 59, True), (8, 0, False)]
)
def test_quiet_hours_span_midnight(hour: int, minute: int, quiet: bool) -> None:
    assert is_quiet(at(1, hour, minute), "Asia/Tokyo", NIGHT) is quiet


def test_quiet_hours_end_at_the_next_eight_o_clock() -> None:
    assert quiet_ends(at(1, 22), "Asia/Tokyo", NIGHT) == at(2, 8)
    assert quiet_ends(at(2, 7, 59), "Asia/Tokyo", NIGHT) == at(2, 8)


def test_in_time_it_is_sent_as_it_is(faq: Faq) -> None:
    verdict = decide(due(), faq, at(1, 18))

    assert verdict == Send(faq.steps["day_1"], None)


def test_just_after_its_time_it_is_a_catch_up_with_the_day(faq: Faq) -> None:
    verdict = decide(due(), faq, at(1, 18) + MINUTE)

    assert verdict == Send(faq.steps["day_1"], 1)


def test_a_catch_up_has_its_limit(faq: Faq) -> None:
    assert isinstance(decide(due(), faq, at(1, 18) + CATCH_UP_LIMIT), Send)
    assert decide(due(), faq, at(1, 18) + CATCH_UP_LIMIT + MINUTE) == End("missed", "late")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"current_date": DAY_0 + dt.timedelta(days=1)}, End("cancelled", "moved")),
        ({"reminders": "stopped"}, End("cancelled", "stopped")),
        ({"reminders": "paused"}, End("held", "paused")),
        ({"step_id": "gone"}, End("cancelled", "step_removed")),
        ({"newer_due": True}, End("missed", "folded")),
        ({"address": None}, End("held", "unreachable")),
    ],
)
def test_it_is_not_sent_when_that_makes_no_sense_any_more(
    faq: Faq, changes: dict[str, object], verdict: End
) -> None:
    assert decide(due(**changes), faq, at(1, 12)) == verdict


def test_the_last_of_the_quota_is_kept_for_what_is_urgent(faq: Faq) -> None:
    saving = frozenset({"telegram"})

    assert decide(due(), faq, at(1, 12), saving) == End("held", "quota")
    assert isinstance(decide(due(), all_urgent(faq), at(1, 12), saving), Send)
    assert isinstance(decide(due(), all_urgent(faq), at(1, 23), saving), Send)


def test_an_open_alert_holds_what_is_routine_and_lets_urgent_ones_go(faq: Faq) -> None:
    assert decide(due(alert_open=True), faq, at(1, 12)) == End("held", "alert")
    assert isinstance(decide(due(alert_open=True), all_urgent(faq), at(1, 12)), Send)


def test_at_night_it_waits_for_the_morning(faq: Faq) -> None:
    assert decide(due(expires_at=at(2, 12)), faq, at(1, 22)) == Wait(at(2, 8), "quiet")


def fail(item: Due, **changes: object) -> Wait | End:
    usual = {
        "reason": "unreachable",
        "permanent": False,
        "retry_after": None,
        "unknown": False,
        "retry_keys": False,
    }
    return after_failure(item, now=at(1, 10), rng=Random(1), **{**usual, **changes})  # type: ignore[arg-type]


def test_a_retry_never_comes_before_retry_after() -> None:
    verdict = fail(due(), reason="rate_limited", retry_after=300.0)

    assert isinstance(verdict, Wait)
    assert verdict.until >= at(1, 10) + dt.timedelta(seconds=300)


def test_with_retry_keys_a_lost_answer_is_repeated_without_doubt_until_the_key_is_void() -> None:
    young = due(first_tried_at=at(1, 9), unknowns=9)
    old = due(first_tried_at=at(1, 10) - RETRY_KEY_HOLDS, unknowns=0)

    fresh, void = fail(young, unknown=True, retry_keys=True), fail(old, unknown=True, retry_keys=True)

    assert isinstance(fresh, Wait)
    assert isinstance(void, Wait)
    assert (fresh.doubtful, void.doubtful) == (False, True)


def test_without_retry_keys_a_lost_answer_is_repeated_once() -> None:
    first, second = fail(due(), unknown=True), fail(due(unknowns=1), unknown=True)

    assert isinstance(first, Wait)
    assert first.doubtful
    assert second == End("failed", "unknown_outcome", doubtful=True)


@given(attempts=st.integers(0, 10_000), seed=st.integers())
def test_waits_grow_but_never_past_the_longest(attempts: int, seed: int) -> None:
    assert 1 <= backoff_seconds(attempts, Random(seed)) <= LONGEST_WAIT_SECONDS


@settings(deadline=None)  # a busy machine is no fault
@given(
    rate=st.floats(0.5, 500),
    burst=st.integers(1, 50),
    wants=st.lists(st.tuples(st.integers(1, 200), st.floats(0, 3)), min_size=1, max_size=30),
)
def test_no_second_ever_sees_more_than_rate_and_burst(
    rate: float, burst: int, wants: list[tuple[int, float]]
) -> None:
    now, lane, given_away = at(0, 0), Lane(at(0, 0) - dt.timedelta(days=1)), []
    for want, pause in wants:
        slots, paid = take_slots(lane, Rate(rate, burst), want, now, dt.timedelta(seconds=5))
        lane, now = Lane(paid), now + dt.timedelta(seconds=pause)
        given_away += slots

    for first in given_away[:: max(1, len(given_away) // 20)]:
        window = [slot for slot in given_away if first <= slot < first + dt.timedelta(seconds=1)]
        assert len(window) <= rate + burst + 1


def test_a_clock_that_went_back_does_not_close_the_channel() -> None:
    lane = Lane(at(0, 12), blocked_until=at(0, 23))

    slots, _ = take_slots(lane, Rate(10), 1, at(0, 11), dt.timedelta(seconds=5))

    assert slots == [at(0, 11)]
    assert not is_blocked(lane, at(0, 11))


def test_an_ended_reminder_never_changes_again() -> None:
    assert [state for state, to in TRANSITIONS.items() if not to] == ["sent", "failed", "missed"]
