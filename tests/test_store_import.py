"""Patients from a CSV file, over both databases."""

import datetime as dt
from pathlib import Path

import pytest

from bot.core.values import Address
from bot.importing import PAGE, ImportProblems, import_patients
from bot.store.store import Store
from intents.faq import Faq
from tests.outbox_fakes import DAY_0, at

HEAD = "channel,chat,procedure_date,consent_date,language,timezone\n"


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "patients.csv"
    path.write_text(text, encoding="utf-8")
    return path


def many(count: int) -> str:
    return HEAD + "".join(f"telegram,{n},2026-11-16,2026-11-01,en,\n" for n in range(count))


def test_imported_patients_have_their_reminders(store: Store, faq: Faq, tmp_path: Path) -> None:
    path = csv(
        tmp_path, HEAD + "telegram,5,2026-11-16,2026-11-01,en,\nline,U7,2026-11-20,2026-11-02,,Asia/Seoul\n"
    )

    done = import_patients(path, store, faq, at(0, 9))

    patient = store.patient(Address("line", "U7"))
    assert (done.new, done.total) == (2, 2)
    assert patient is not None
    assert (patient.timezone, patient.procedure_date) == ("Asia/Seoul", dt.date(2026, 11, 20))
    assert len(store.upcoming(patient.id or 0)) == len(faq.file.reminders.steps)


def test_every_fault_is_named_with_its_line_and_nothing_is_kept(
    store: Store, faq: Faq, tmp_path: Path
) -> None:
    text = HEAD + (
        "telegram,5,2026-11-16,2026-11-01,en,\n"
        "fax,6,2026-11-16,2026-11-01,en,\n"
        "telegram,7,16.11.2026,2026-11-01,xx,Asia/Tokio\n"
        "telegram,5,2026-11-16,2027-11-01,en,\n"
        "telegram,8\n"
    )

    with pytest.raises(ImportProblems) as caught:
        import_patients(csv(tmp_path, text), store, faq, at(0, 9))

    lines = [problem.partition(":")[0] for problem in caught.value.problems]
    assert lines == ["line 3", "line 4", "line 4", "line 4", "line 5", "line 6"]
    assert store.patient(Address("telegram", "5")) is None


def test_a_file_without_the_right_columns_is_refused(store: Store, faq: Faq, tmp_path: Path) -> None:
    with pytest.raises(ImportProblems, match="the column consent_date is missing"):
        import_patients(csv(tmp_path, "channel,chat,procedure_date\n"), store, faq, at(0, 9))


def test_an_interrupted_import_goes_on_where_it_stopped(store: Store, faq: Faq, tmp_path: Path) -> None:
    path = csv(tmp_path, many(PAGE + 5))

    def die(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_patients(path, store, faq, at(0, 9), die)
    again = import_patients(path, store, faq, at(0, 9))

    assert (again.new, again.total) == (5, PAGE + 5)


def test_importing_twice_adds_nobody_twice(store: Store, faq: Faq, tmp_path: Path) -> None:
    path = csv(tmp_path, many(3))
    import_patients(path, store, faq, at(0, 9))

    again = import_patients(path, store, faq, at(0, 9))

    patient = store.patient(Address("telegram", "1"))
    assert again.new == 0
    assert patient is not None
    assert len(store.upcoming(patient.id or 0)) == len(faq.file.reminders.steps)
    assert patient.procedure_date == DAY_0
