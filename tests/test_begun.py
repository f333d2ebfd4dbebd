"""On a platform that knows a repeat, a claim marks the start too. What patients must not notice of that."""

import asyncio
import datetime as dt
from random import Random

import pytest
from sqlalchemy import event, select

from bot.core.delivery import Due, Send, Wait
from bot.outbox.courier import Courier
from bot.outbox.recorder import Recorder
from bot.store.deliveries import Claims, Start
from bot.store.schema import reminders
from bot.store.store import Store
from intents.faq import Faq
from tests.outbox_fakes import Clinic, at

SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def clinic(store: Store, faq: Faq) -> Clinic:
    return Clinic(store, faq)


def claims(clinic: Clinic) -> Claims:
    return Claims("dead", tuple(clinic.faq.steps), ())


def going(clinic: Clinic) -> Send:
    return Send(clinic.faq.steps["day_0"], None)


def tries(store: Store) -> list[tuple[str, int, bool, bool]]:
    """(state, attempts, tried before, marked as started) of the reminders that are due, by id."""
    columns = (reminders.c.state, reminders.c.attempts, reminders.c.first_tried_at, reminders.c.started_at)
    query = select(*columns).where(reminders.c.due_at <= at(0, 20)).order_by(reminders.c.id)
    with store.read() as db:
        return [(row[0], row[1], row[2] is not None, row[3] is not None) for row in db.execute(query)]


async def test_what_a_dead_sender_had_begun_arrives_once_on_line_and_is_no_trouble(clinic: Clinic) -> None:
    clinic.enrol("1", "line")
    (claimed,) = clinic.store.claim(claims(clinic), at(0, 19, 30), lambda _: going(clinic))
    key = claimed.due.retry_key
    await clinic.line.send(claimed.due.address, None, retry_key=key)  # type: ignore[arg-type]

    await clinic.tick(at(0, 19, 30))
    await clinic.run(at(0, 19, 40), dt.timedelta(minutes=1))

    assert claimed.begun_at is not None
    assert (len(clinic.line.sent), clinic.line.calls, clinic.line.keys) == (1, 2, {key})
    assert clinic.store.trouble(at(0, 0)) == []


def test_on_telegram_nothing_begins_with_its_claim(clinic: Clinic) -> None:
    clinic.enrol("1", "telegram")

    (claimed,) = clinic.store.claim(claims(clinic), at(0, 19, 30), lambda _: going(clinic))

    assert claimed.begun_at is None
    assert tries(clinic.store) == [("sending", 0, False, False)]


def test_what_does_not_leave_does_not_begin(clinic: Clinic) -> None:
    clinic.enrol("1", "line")

    (claimed,) = clinic.store.claim(claims(clinic), at(0, 19, 30), lambda _: Wait(at(1, 8), "quiet"))

    assert claimed.begun_at is None
    assert tries(clinic.store) == [("sending", 0, False, False)]


async def test_a_second_try_is_marked_by_itself_so_that_one_that_kills_its_sender_is_found(
    clinic: Clinic,
) -> None:
    clinic.enrol("1", "line")
    clinic.store.claim(claims(clinic), at(0, 19, 30), lambda _: going(clinic))
    clinic.store.reap(claims(clinic), at(0, 19, 33))

    (again,) = clinic.store.claim(claims(clinic), at(0, 19, 33), lambda _: going(clinic))

    assert again.begun_at is None
    assert tries(clinic.store) == [("sending", 1, True, False)]


async def test_a_begun_one_that_waited_too_long_is_looked_at_again(clinic: Clinic) -> None:
    patient = clinic.enrol("1", "line")
    (claimed,) = clinic.store.claim(claims(clinic), at(0, 19, 30), lambda _: going(clinic))
    clinic.store.set_reminders(patient, "stopped", at(0, 19, 30))

    started = clinic.store.apply(claims(clinic), [Start(claimed.due.id, "line")], at(0, 19, 30) + 2 * SECOND)
    refused = tries(clinic.store)
    await clinic.tick(at(0, 19, 31))

    assert (started, refused) == ([False], [("pending", 0, False, False)])
    assert (tries(clinic.store)[0][0], clinic.line.calls) == ("cancelled", 0)


def test_to_look_again_counts_no_second_try(clinic: Clinic) -> None:
    clinic.enrol("1", "line")
    (claimed,) = clinic.store.claim(claims(clinic), at(0, 19, 30), lambda _: going(clinic))

    started = clinic.store.apply(claims(clinic), [Start(claimed.due.id, "line")], at(0, 19, 30) + 2 * SECOND)

    assert started == [True]
    assert tries(clinic.store) == [("sending", 1, True, True)]


def courier(clinic: Clinic, now: dt.datetime) -> Courier:
    """One that looks at the clock at `now`."""
    recorder = Recorder(clinic.store, claims(clinic), lambda: now)
    return Courier(clinic.store, recorder, clinic.channels, lambda: now, asyncio.sleep, Random(1), 5)


@pytest.mark.parametrize(("seconds", "sent"), [(1, 1), (1.1, 0)], ids=["soon", "later"])
async def test_a_patient_who_stops_is_heard_until_a_second_before_the_send(
    clinic: Clinic, seconds: float, sent: int
) -> None:
    patient = clinic.enrol("1", "line")
    (claimed,) = clinic.store.claim(claims(clinic), at(0, 19, 30), lambda _: going(clinic))
    clinic.store.set_reminders(patient, "stopped", at(0, 19, 30))
    sender, ended = courier(clinic, at(0, 19, 30) + seconds * SECOND), asyncio.Event()

    parcel = sender.pack(claimed, clinic.faq, at(0, 19, 30), lambda _: ended.set())
    assert parcel is not None
    await sender.deliver(parcel)
    await ended.wait()

    assert len(clinic.line.sent) == sent


async def test_a_reminder_that_cannot_be_decided_costs_the_others_nothing(clinic: Clinic) -> None:
    odd = clinic.enrol("1")
    clinic.enrol("2")
    clinic.store.set_timezone(odd, "Nowhere/Land")

    await clinic.tick(at(0, 19, 30))

    assert [address.chat for address, _ in clinic.telegram.sent] == ["2"]


def test_a_decision_is_asked_for_with_all_that_the_claim_read(clinic: Clinic) -> None:
    clinic.enrol("1", "line")
    asked: list[Due] = []

    (claimed,) = clinic.store.claim(
        claims(clinic), at(0, 19, 30), lambda due: asked.append(due) or going(clinic)
    )

    assert asked == [claimed.due]
    assert (claimed.due.step_id, claimed.verdict) == ("day_0", going(clinic))


def test_claims_take_the_channels_limits_in_one_order_or_two_would_wait_for_each_other(
    clinic: Clinic,
) -> None:
    clinic.enrol("1", "telegram")
    clinic.enrol("2", "line")
    said: list[str] = []

    @event.listens_for(clinic.store._engine, "before_cursor_execute")
    def listen(_conn: object, _cursor: object, sql: str, values: object, *_: object) -> None:
        said.extend([str(values)] if sql.startswith("INSERT INTO limits") else [])

    clinic.store.claim(claims(clinic), at(0, 19, 30))

    assert ["line" in said[0], "telegram" in said[1]] == [True, True]
