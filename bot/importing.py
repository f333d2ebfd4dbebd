"""Patients from a CSV file: every fault with its line before anything is kept, and resumable when it was interrupted.

Columns: channel, chat, procedure_date, consent_date, and if wanted language (zh-Hant for Traditional), timezone and
procedure (a kind of faq.yaml's reminders.procedures). Who has several procedures has a line for each.
"""

import csv
import datetime as dt
import hashlib
import io
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bot.core.dates import FUTURE_DAYS, PAST_DAYS
from bot.core.recovery import at_local, local_date
from bot.core.reminders import Planned, plan
from bot.core.values import Address
from bot.store.bulk import NewPatient
from bot.store.store import Store
from intents.faq import THREAD_LIFT, Faq

REQUIRED = ("channel", "chat", "procedure_date", "consent_date")
OPTIONAL = ("language", "timezone", "procedure")
CHANNELS = ("telegram", "line")
PAGE = 1_000
LONGEST_CHAT = 64


class ImportProblems(Exception):
    """The file cannot be imported; `problems` has every reason with its line. Nothing was kept."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Imported:
    """`new`: patients added by this run; `total`: lines of the file, those of an interrupted run among them."""

    new: int
    total: int


@dataclass(frozen=True, slots=True)
class _Line:
    channel: str
    chat: str
    date: dt.date
    consent: dt.date
    language: str | None
    traditional: bool
    timezone: str | None
    kind: str


def import_patients(
    path: Path, store: Store, faq: Faq, now: dt.datetime, progress: Callable[[int, int], None] | None = None
) -> Imported:
    """Add the patients of `path` and plan their reminders. `progress` is told (lines done, lines in all).

    Raises ImportProblems (nothing kept) and StoreError. If we die half way, the same call goes on where it stopped:
    a page of patients and the bookmark are one transaction, and who is known is never added twice.
    """
    text = _read(path)
    total = _check(text, faq, now)
    mark = f"import:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    done, new = int(store.get_meta(mark) or 0), 0
    planned = lru_cache(maxsize=4096)(lambda kind, date, zone: plan(faq.steps_of(kind), date, zone))
    page: list[NewPatient] = []
    if progress and done:
        progress(done, total)
    for number, line in enumerate(_lines(text, faq, now, []), 1):
        if number <= done:
            continue
        page.append(_person(line, faq, planned))
        if len(page) == PAGE or number == total:
            new += store.add_patients(page, now, {mark: str(number)})
            page = []
            if progress:
                progress(number, total)
    store.set_meta(mark, "0")  # the same file may be imported again, which then only sets dates
    return Imported(new, total)


def _person(line: _Line, faq: Faq, planned: Callable[[str, dt.date, str], list[Planned]]) -> NewPatient:
    zone = line.timezone or faq.clinic.timezone
    return NewPatient(
        address=Address(line.channel, line.chat),
        consent_at=at_local(line.consent, dt.time(12), zone),
        language=line.language,
        traditional=line.traditional,
        timezone=line.timezone,
        date=line.date,
        planned=planned(line.kind, line.date, zone),
        kind=line.kind,
    )


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as err:
        raise ImportProblems([f"{path} cannot be read ({err.strerror})"]) from err
    except UnicodeDecodeError as err:
        advice = 'save the file as "CSV UTF-8"'
        raise ImportProblems([f"{path}: byte {err.start} is not UTF-8; {advice}"]) from err


def _check(text: str, faq: Faq, now: dt.datetime) -> int:
    """Read every line once; the number of good ones. Raises ImportProblems with all the others."""
    problems: list[str] = []
    count = sum(1 for _ in _lines(text, faq, now, problems))
    if not count and not problems:
        problems.append(
            "the file has no patients; the first line names the columns, each further line is a patient"
        )
    if problems:
        raise ImportProblems(problems)
    return count


def _lines(text: str, faq: Faq, now: dt.datetime, problems: list[str]) -> Iterator[_Line]:
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    names = [name.strip().lower() for name in reader.fieldnames or []]
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in REQUIRED + OPTIONAL]
    if missing or unknown:
        wrong = [f"the column {name} is missing" for name in missing] + [
            f'"{name}" is no column' for name in unknown
        ]
        problems.append(f"line 1: {'; '.join(wrong)}; allowed: {', '.join(REQUIRED + OPTIONAL)}")
        return
    reader.fieldnames = names
    seen: dict[tuple[str, str, str], int] = {}
    try:
        for row in reader:
            line = _line(row, faq, now, problems, reader.line_num)
            if line is not None:
                before = seen.setdefault((line.channel, line.chat, line.kind), reader.line_num)
                if before != reader.line_num:
                    same = f"line {reader.line_num}: the same chat as in line {before}"
                    problems.append(f"{same}; a line for each procedure of a patient names its kind")
                yield line
    except csv.Error as err:
        problems.append(f"line {reader.line_num}: {err}")


def _line(row: dict[str, str], faq: Faq, now: dt.datetime, problems: list[str], number: int) -> _Line | None:
    if None in row or None in row.values():
        problems.append(f"line {number}: it has not as many fields as the first line")
        return None
    cell = {name: value.strip() for name, value in row.items()}
    wrong: list[str] = []
    code, _, script = cell.get("language", "").partition("-")
    zone = cell.get("timezone", "")
    if cell["channel"] not in CHANNELS:
        wrong.append(f'channel: came "{cell["channel"][:20]}"; allowed: {", ".join(CHANNELS)}')
    if not 0 < len(cell["chat"]) <= LONGEST_CHAT or not cell["chat"].isascii():
        wrong.append("chat: the platform's id of the chat is wanted (such as 123456789)")
    if code and code not in faq.languages:
        wrong.append(f'language: came "{code[:20]}"; allowed: {", ".join(faq.languages)}')
    if zone and zone not in _zones():
        wrong.append(f'timezone: came "{zone[:40]}"; write one such as Asia/Tokyo')
    kind = cell.get("procedure", "") or THREAD_LIFT
    if kind not in faq.procedures:
        wrong.append(f'procedure: came "{kind[:20]}"; allowed: {", ".join(faq.procedures)}')
    today = local_date(now, zone if zone in _zones() else faq.clinic.timezone)
    date = _date(cell, "procedure_date", wrong)
    consent = _date(cell, "consent_date", wrong)
    if date and not -FUTURE_DAYS <= (today - date).days < PAST_DAYS:
        wrong.append(
            f"procedure_date: {date} is more than a year away"
            if date > today
            else f"procedure_date: {date} is too old"
        )
    if consent and consent > today:
        wrong.append(f"consent_date: {consent} lies in the future; only who has agreed may be imported")
    problems += [f"line {number}: {text}" for text in wrong]
    if wrong or date is None or consent is None:
        return None
    traditional = script == "Hant"
    return _Line(cell["channel"], cell["chat"], date, consent, code or None, traditional, zone or None, kind)


def _date(cell: dict[str, str], name: str, wrong: list[str]) -> dt.date | None:
    try:
        return dt.date.fromisoformat(cell[name])
    except ValueError:
        wrong.append(f'{name}: came "{cell[name][:20]}"; write year-month-day such as 2026-11-20')
        return None


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
