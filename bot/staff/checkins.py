"""Check-ins as staff see them: in a line, in a list, and drawn by recovery day. Pure. Staff read English."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.checkins import ASKED_BY, USUAL_UNTIL, judge, since
from bot.core.procedures import as_of
from bot.core.recovery import recovery_day
from bot.core.values import CheckedIn, Patient
from intents.faq import Faq
from intents.short_answers import ANSWERS

WORDS = {
    "none": "pain 0", "mild": "pain 1–3", "moderate": "pain 4–6", "severe": "pain 7–10",
    "better": "swelling better", "same": "swelling the same", "worse": "swelling a little worse",
    "much_worse": "swelling much worse", "well": "all well", "worried": "something worries them",
}  # fmt: skip
IN_A_LINE = 5
# The picture, in units of its view box.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 200, 124, 12, 14, 36
TICKS = (0, 1, 3, 7, 14, 30, 90, 180, 365)
ROWS = ("0 · better", "1–3 · same", "4–6 · worse", "7–10 · much worse")


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer. `worry`: staff should look, because it is outside the usual course or the patient says so."""

    day: int
    at: dt.datetime
    asks: str
    answer: str
    worry: bool

    @property
    def words(self) -> str:
        return WORDS.get(self.answer, self.answer)


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry's place in the picture."""

    x: float
    y: float
    entry: Entry


@dataclass(frozen=True, slots=True)
class Chart:
    """`usual` is the outline of the usual course of pain, `line` joins the answers about pain."""

    marks: tuple[Mark, ...]
    line: str
    usual: str
    days: tuple[tuple[float, int], ...]
    rows: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    foot: int = HEIGHT - BOTTOM


def asking(faq: Faq) -> list[str]:
    """The steps that have a check-in."""
    return [step.id for step in faq.file.reminders.steps if step.check_in]


def course(answered: Sequence[CheckedIn], patient: Patient, faq: Faq, now: dt.datetime) -> tuple[Entry, ...]:
    """The answers since the procedure that counts now, oldest first, each on its recovery day."""
    patient = as_of(patient, now, faq.clinic.timezone)
    zone, date, entries = patient.timezone or faq.clinic.timezone, patient.procedure_date, list[Entry]()
    for item in since(answered, date, zone) if date else ():
        day = recovery_day(date, item.at, zone)
        if day is not None and item.answer in ASKED_BY:
            verdict = judge(item.answer, day, [entry.answer for entry in entries])
            worry = verdict not in ("good", "usual")
            entries.append(Entry(day, item.at, ASKED_BY[item.answer], item.answer, worry))
    return tuple(entries)


def in_a_line(entries: Sequence[Entry]) -> str:
    """The newest answers, for an alert's card; empty when there are none."""
    return " · ".join(f"day {entry.day} {entry.words}" for entry in entries[-IN_A_LINE:])


def chart(entries: Sequence[Entry]) -> Chart | None:
    """The picture; None when there is nothing to draw."""
    if not entries:
        return None
    last = max(30, *(entry.day for entry in entries))
    marks = tuple(Mark(_x(entry.day, last), _y(_row(entry)), entry) for entry in entries)
    return Chart(
        marks,
        " ".join(f"{mark.x},{mark.y}" for mark in marks if mark.entry.asks == "pain"),
        _usual(last),
        tuple((_x(day, last), day) for day in TICKS if day <= last),
        tuple((_y(row), words) for row, words in enumerate(ROWS)),
    )


def _row(entry: Entry) -> int:
    """0 is best; "something worries me" stands where it is seen."""
    return 2 if entry.answer == "worried" else ANSWERS[entry.asks].index(entry.answer)


def _x(day: float, last: int) -> float:
    """The first days far apart, later ones closer: recovery is quick at first."""
    return round(LEFT + (WIDTH - LEFT - RIGHT) * math.log2(1 + day) / math.log2(1 + last), 1)


def _y(row: float) -> float:
    step = (HEIGHT - TOP - BOTTOM) / len(ROWS)
    return round(HEIGHT - BOTTOM - step * (row + 0.5), 1)


def _usual(last: int) -> str:
    """Points of a polygon: up to which pain is usual, day by day."""
    points, since = [(_x(0, last), _y(-0.5))], 0.0
    for row, until in ((2, USUAL_UNTIL["moderate"]), (1, USUAL_UNTIL["mild"]), (0, last)):
        end = min(until + 0.5, last)
        points += [(_x(since, last), _y(row + 0.5)), (_x(end, last), _y(row + 0.5))]
        since = end
    return " ".join(f"{x},{y}" for x, y in [*points, (_x(last, last), _y(-0.5))])
