"""Check-ins: what a reminder asks, what an answer means on its day, and what is said to it. Pure.

The usual course is the sources' (entries smile_pain_duration, swelling and recovery_timeline of faq.yaml): swelling and bruising
are better in about a week, pain eases within a week and is almost gone within two; what is severe or grows is not usual.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bot.core import answers
from bot.core.actions import button, split
from bot.core.effects import Decision, Effect, KeepCheckIn, OpenAlert
from bot.core.recovery import local_date, recovery_day
from bot.core.values import Asked, Button, CheckedIn, Context, Message
from bot.core.wording import Wording
from intents.faq import Faq, Step
from intents.faq.shape import CheckIn
from intents.short_answers import ANSWERS, read_answer
from intents.text import fold

Verdict = Literal["good", "usual", "call", "words", "danger"]

ASKED_BY = {answer: asks for asks, offered in ANSWERS.items() for answer in offered}
# The answers whose own words are a danger sign, on any day, and which one.
SIGNS = {"severe": "severe_pain", "much_worse": "rapid_swelling"}
# The last recovery day on which an answer is within the usual course; the clinic shall hear of it afterwards.
USUAL_UNTIL = {"moderate": 6, "mild": 13, "same": 13}
OPEN_FOR = dt.timedelta(hours=24)  # in which a typed answer is taken for one


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to the check-in of `step_id`, asked for a procedure on `date`."""

    step_id: str
    date: dt.date
    answer: str


# --- asking


def buttons(step: Step, date: dt.date, words: Wording) -> tuple[Button, ...]:
    """The answers to the step's question, for a procedure on `date`; none where it asks nothing."""
    offered = ANSWERS[step.check_in.asks] if step.check_in else ()
    return tuple(
        button(words, _label_key(answer), f"check:{step.id}:{date:%y%m%d}:{answer}") for answer in offered
    )


def _label_key(answer: str) -> str:
    return f"btn_{ASKED_BY[answer]}_{answer}"


def label(answer: str, words: Wording) -> str:
    """The answer as its button says it."""
    return words(_label_key(answer)) if answer in ASKED_BY else answer


# --- hearing


def tapped(action: str) -> Answered | None:
    """What a button carries; None for any other action."""
    verb, argument = split(action)
    step_id, _, rest = argument.partition(":")
    day, _, answer = rest.partition(":")
    if verb != "check" or answer not in ASKED_BY:
        return None
    try:
        return Answered(step_id, dt.datetime.strptime(day, "%y%m%d").date(), answer)  # noqa: DTZ007 - a date
    except ValueError:
        return None


def is_danger(action: str) -> bool:
    """Whether a button says a danger sign."""
    answered = tapped(action)
    return answered is not None and answered.answer in SIGNS


def typed(text: str, words: Wording, context: Context) -> Answered | None:
    """An answer in words ("4", "better", a button's label) while the question is the last thing that the bot said."""
    asked = context.asked
    check_in = _check_in(words.faq, asked.step_id) if asked else None
    if asked is None or check_in is None or context.asking_wishes or context.taken_over:
        return None
    labels = {fold(label(answer, words)): answer for answer in ANSWERS[check_in.asks]}
    answer = labels.get(fold(text)) or read_answer(text, check_in.asks)
    return Answered(asked.step_id, asked.procedure_date, answer) if answer else None


def _check_in(faq: Faq, step_id: str) -> CheckIn | None:
    step = faq.steps.get(step_id)
    return step.check_in if step else None


# --- deciding


def judge(answer: str, day: int | None, earlier: Sequence[str] = ()) -> Verdict:
    """What an answer on recovery day `day` calls for. `earlier`: the answers before it, oldest first."""
    if answer in SIGNS:
        return "danger"
    if answer == "worried":
        return "words"
    if answer == "worse" or _has_grown(answer, earlier):
        return "call"
    if answer not in USUAL_UNTIL:
        return "good"
    return "call" if day is not None and day > USUAL_UNTIL[answer] else "usual"


def _has_grown(answer: str, earlier: Sequence[str]) -> bool:
    """Pain that was little or none before and is not any more."""
    before = [other for other in earlier if other in ANSWERS["pain"]]
    return answer == "moderate" and bool(before) and before[-1] in ("none", "mild")


def decide(answered: Answered, typed_text: str, words: Wording, context: Context) -> Decision:
    """The reply and what follows. While a person has taken over only a danger sign is answered."""
    zone = context.patient.timezone or words.faq.clinic.timezone
    date = context.patient.procedure_date or answered.date
    others = [item for item in since(context.check_ins, date, zone) if not _same(item, answered)]
    day = recovery_day(date, context.now, zone)
    verdict = judge(answered.answer, day, [item.answer for item in others])
    said = _said(answered, typed_text, words)
    decision = replace(_reply(verdict, answered, said, words), said=said)
    if context.taken_over and verdict != "danger":
        decision = replace(decision, replies=(), effects=())
    elif verdict != "danger":
        decision = _say_if_changed(decision, answered, words, context)
    return replace(decision, effects=(*_kept(answered, context), *decision.effects))


def since(given: Sequence[CheckedIn], date: dt.date, timezone: str) -> list[CheckedIn]:
    """The answers given from the procedure's day on: those of an earlier procedure say nothing about this one."""
    return [item for item in given if local_date(item.at, timezone) >= date]


def _kept(answered: Answered, context: Context) -> tuple[Effect, ...]:
    """Kept where something is kept at all, and the question was about a procedure as it stands now."""
    patient = context.patient
    dates = {patient.procedure_date, *(item.date for item in patient.procedures)}
    if patient.id is None or answered.date not in dates:
        return ()
    return (KeepCheckIn(answered.step_id, answered.date, answered.answer),)


def _reply(verdict: Verdict, answered: Answered, said: str, words: Wording) -> Decision:
    person = button(words, "btn_person", "person")
    flag = words.faq.red_flags.get(SIGNS.get(answered.answer, ""))
    if verdict == "danger" and flag:
        alert = OpenAlert("danger", flag.urgency, flag.id, said)
        return Decision((answers.danger(flag, words),), (alert,), "danger", entry=flag.id)
    if verdict in ("danger", "call"):
        text = f"{words('check_in_call')}\n\n{words('urgent_signs')}"
        return Decision(
            (Message(text, (person,)),), (OpenAlert("check_in", "call", None, said),), "check_in_call"
        )
    if verdict == "words":
        text = f"{words('check_in_worried')}\n\n{words('urgent_signs')}"
        return Decision((Message(text, (person,)),), (), "check_in_worried")
    text = words("check_in_good" if verdict == "good" else "check_in_usual")
    return Decision((Message(text, () if verdict == "good" else (person,)),), (), f"check_in_{verdict}")


def _say_if_changed(decision: Decision, answered: Answered, words: Wording, context: Context) -> Decision:
    before = next((item for item in context.check_ins if _same(item, answered)), None)
    if before is None or before.answer == answered.answer:
        return decision
    first = decision.replies[0]
    changed = replace(first, text=f"{words('check_in_changed')}\n\n{first.text}")
    return replace(decision, replies=(changed, *decision.replies[1:]))


def _said(answered: Answered, typed_text: str, words: Wording) -> str:
    """Question and answer, as staff read them: the patient's own words where there are any."""
    check_in = _check_in(words.faq, answered.step_id)
    question = words.text(dict(check_in.question)) if check_in else ""
    return f"{question} – {typed_text.strip() or label(answered.answer, words)}".removeprefix(" – ")


def _same(item: CheckedIn, answered: Answered) -> bool:
    return (item.step_id, item.procedure_date) == (answered.step_id, answered.date)


# --- remembering


def open_question(
    sent: Asked | None, known: Sequence[CheckedIn], spoke_at: dt.datetime | None, now: dt.datetime
) -> Asked | None:
    """`sent`, the newest reminder, while a typed answer to its question can be meant.

    `spoke_at`: when the bot last said something else; "2" then means the second of what it offered.
    """
    if sent is None or now - sent.at > OPEN_FOR or (spoke_at and spoke_at > sent.at):
        return None
    done = any((item.step_id, item.procedure_date) == (sent.step_id, sent.procedure_date) for item in known)
    return None if done else sent


def listing(context: Context, words: Wording) -> str:
    """The answers that are kept, for "what do you know about me"."""
    zone = context.patient.timezone or words.faq.clinic.timezone
    return "; ".join(
        f"{words.short_date(local_date(item.at, zone))} {label(item.answer, words)}"
        for item in context.check_ins
    )
