"""Nothing is kept longer than the privacy text promises: 13 months after the procedure."""

import datetime as dt
from pathlib import Path

from bot.core.reminders import plan
from bot.core.values import Address, Patient
from bot.store.housekeeping import PATIENTS_KEPT
from bot.store.store import Store
from intents.faq import Faq
from tests.databases import ready_store
from tests.helpers import NOW

ADDRESS = Address("fake", "a-chat-that-is-forgotten")


def enrolled(store: Store, faq: Faq, date: dt.date, at: dt.datetime) -> Patient:
    patient = store.give_consent(ADDRESS, at, "en", False)
    assert patient.id
    store.set_procedure_date(patient.id, date, plan(faq.file.reminders.steps, date, "Asia/Tokyo"), at)
    return patient


def opened(folder: Path) -> Store:
    return ready_store(folder / "kept.db")


def test_a_patient_is_forgotten_thirteen_months_after_the_procedure(faq: Faq, tmp_path: Path) -> None:
    store = opened(tmp_path)
    enrolled(store, faq, NOW.date(), NOW)

    store.prune(NOW + PATIENTS_KEPT)
    assert store.patient(ADDRESS)

    store.prune(NOW + PATIENTS_KEPT + dt.timedelta(days=1))
    assert store.patient(ADDRESS) is None
    store.close()


def test_a_newer_procedure_keeps_the_patient(faq: Faq, tmp_path: Path) -> None:
    store = opened(tmp_path)
    patient = enrolled(store, faq, NOW.date(), NOW)
    later = NOW.date() + dt.timedelta(days=300)
    assert patient.id
    store.set_procedure_date(patient.id, later, plan(faq.file.reminders.steps, later, "Asia/Tokyo"), NOW)

    store.prune(NOW + PATIENTS_KEPT + dt.timedelta(days=1))

    assert store.patient(ADDRESS)
    store.close()
