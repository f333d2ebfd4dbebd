"""What may go live and is still not right: warnings on a loaded FAQ, each with its place and what to do.

The rules on words need only the file; those on questions ask the Understander how each question is understood.
Reasons why a file must not go live at all are errors of `intents.faq.load`, and do not come up here.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from intents import wordcheck
from intents.faq import Entry, Faq
from intents.faq.rules import text_maps
from intents.faq.shape import LABEL_LENGTH
from intents.languages import LANGUAGES
from intents.strict_yaml import Path, Problem
from intents.text import fold
from intents.types import Understanding

LINE_LIMIT = (
    5000  # UTF-16 units of one text message; developers.line.biz, Messaging API reference, "Text message"
)
AROUND_ANSWER = 700  # units left for the source line and the advice around an answer
MARGIN = 0.15  # an answer whose runner-up is nearer than this depends on a letter
KEPT_DAYS = 365  # how long a doctor's review holds
OWN_MATTERS = "clinic"  # the group of entries on the clinic and the bot itself, which need no medical source

Understand = Callable[[str, str | None], Understanding]


@dataclass(frozen=True)
class Asked:
    """One question of the file and how it is understood."""

    path: Path
    entry: Entry
    language: str
    text: str
    meaning: Understanding


def lint(
    faq: Faq, today: dt.date, understand: Understand | None = None, only: str | None = None
) -> list[Problem]:
    """All warnings in the order of the file. Without `understand` the rules that need it are left out.

    `only` names the one entry whose questions are understood; what is said of the others' questions is worth nothing then.
    """
    found = [warning for rule in _RULES for warning in rule(faq, today)]
    if understand is not None:
        asked = ask_own_questions(faq, understand, only)
        found += [warning for judge in _JUDGES for warning in judge(faq, asked)]
    return sorted(found)


def ask_own_questions(faq: Faq, understand: Understand, only: str | None = None) -> list[Asked]:
    """Each question of each entry (or of the one entry `only`), understood as a patient of that language would have it
    understood.
    """
    return [
        Asked(("entries", i, "questions", language, j), entry, language, text, understand(text, language))
        for i, entry in enumerate(faq.file.entries)
        if only in (None, entry.id)
        for language, texts in entry.questions.items()
        for j, text in enumerate(texts)
    ]


def _warn(faq: Faq, path: Path, rule: str, message: str) -> Problem:
    return Problem(*faq.place(path), message, "warning", rule)


# --- rules on the words alone


def _same_question(faq: Faq, today: dt.date) -> Iterator[Problem]:
    seen: dict[str, tuple[str, Path]] = {}
    for i, entry in enumerate(faq.file.entries):
        for language, texts in entry.questions.items():
            for j, text in enumerate(texts):
                path: Path = ("entries", i, "questions", language, j)
                first, where = seen.setdefault(fold(text).strip(" ?!.。？！"), (entry.id, path))
                if where == path:
                    continue
                line = faq.place(where)[0]
                advice = "remove one" if first == entry.id else "keep it under the entry that answers it best"
                message = f'"{text}" stands under {first} too (line {line}); {advice}'
                yield _warn(faq, path, "same-question", message)


def _languages(faq: Faq, today: dt.date) -> Iterator[Problem]:
    for language in LANGUAGES:
        if language not in faq.languages:
            name = LANGUAGES[language].name
            message = (
                f'"{language}" is not listed: who writes {name} is answered in {faq.languages[0]}; '
                f"add {language} here and to every text"
            )
            yield _warn(faq, ("clinic", "languages"), "language", message)
    for path, texts in text_maps(faq.file):
        for language in texts:
            if language not in faq.languages:
                message = (
                    f'there is text in "{language}", which clinic.languages does not list; nobody is shown it'
                )
                yield _warn(faq, (*path, language), "language", message)
        missing = [language for language in faq.languages if language not in texts]
        if missing and path[-1] == "examples":  # for all other texts this is an error
            yield _warn(
                faq, path, "language", f"no examples in {', '.join(missing)}; add some, or remove them all"
            )


def _channel_limits(faq: Faq, today: dt.date) -> Iterator[Problem]:
    for path, language, text in _texts(faq):
        size, limit = _units(text), LINE_LIMIT
        named = path[-1] == "label" and path[0] != "sources"
        is_button = named or path[0] == "groups" or str(path[-1]).startswith("btn_")
        if is_button:
            limit = LABEL_LENGTH
        if size > limit:
            what = "the button" if is_button else "the text"
            message = f"{what} has {size} units and LINE takes {limit}; say it in fewer words"
            yield _warn(faq, (*path, language), "too-long", message)
    for i, entry in enumerate(faq.file.entries):
        for language, text in entry.answer.items():
            window = max((_units(w.text.get(language, "")) for w in entry.by_day), default=0)
            size = window + _units(text) + AROUND_ANSWER
            if size > LINE_LIMIT:
                message = f"with its longest by_day text it fills {size} units and LINE takes {LINE_LIMIT} a message; shorten one"
                yield _warn(faq, ("entries", i, "answer", language), "too-long", message)


def _review(faq: Faq, today: dt.date) -> Iterator[Problem]:
    for i, entry in enumerate(faq.file.entries):
        path: Path = ("entries", i, "reviewed")
        age = (today - entry.reviewed.on).days
        if age > KEPT_DAYS:
            message = (
                f"{entry.id} was reviewed {age} days ago, on {entry.reviewed.on}; have a doctor read it again"
            )
            yield _warn(faq, path, "review-date", message)
        elif age < -1:  # yesterday's date line may still run somewhere
            yield _warn(
                faq, path, "review-date", f"{entry.id}: {entry.reviewed.on} is yet to come; write the day"
            )


def _sources(faq: Faq, today: dt.date) -> Iterator[Problem]:
    for i, entry in enumerate(faq.file.entries):
        if not (entry.sources or entry.beyond or entry.group == OWN_MATTERS):
            message = (
                f'{entry.id} has no source; name one under sources, or mark it "beyond: true" for the doctor'
            )
            yield _warn(faq, ("entries", i), "no-source", message)


def _medicines(faq: Faq, today: dt.date) -> Iterator[Problem]:
    for path, language, text in _texts(faq):
        for name in wordcheck.medicines(text):
            message = f'"{name}" is a medicine; the bot names none: write "what your doctor prescribed"'
            yield _warn(faq, (*path, language), "medicine", message)
        for dose in wordcheck.doses(text):
            message = f'"{dose}" is a dose; the bot gives none: leave it to the doctor'
            yield _warn(faq, (*path, language), "medicine", message)


def _readable(faq: Faq, today: dt.date) -> Iterator[Problem]:
    for path, language, text in _texts(faq):
        if path[0] not in ("entries", "red_flags", "reminders") or len(text) < 60:
            continue
        if language == "en":
            grade = wordcheck.reading_grade(text)
            if grade > wordcheck.GRADE:
                message = (
                    f"reading grade {grade:.1f}, wanted {wordcheck.GRADE:.0f} or lower: "
                    "shorter sentences, everyday words"
                )
                yield _warn(faq, (*path, language), "reading-level", message)
            continue
        size, sentence = wordcheck.longest_sentence(text)
        if size > wordcheck.LONGEST_SENTENCE[language]:
            most = wordcheck.LONGEST_SENTENCE[language]
            message = (
                f'a sentence of {size} characters ("{sentence[:20]}..."); at most {most}: make two of it'
            )
            yield _warn(faq, (*path, language), "reading-level", message)


def _script(faq: Faq, today: dt.date) -> Iterator[Problem]:
    for path, language, text in _texts(faq):
        if path[0] == "clinic":  # names and addresses are written as they are written
            continue
        words = wordcheck.english_left(text) if language != "en" else []
        if words:
            message = f'"{" ".join(words[:6])}" is English; write it in {LANGUAGES[language].name}'
            yield _warn(faq, (*path, language), "english-left", message)
        wrong = wordcheck.traditional_left(text) if language == "zh" else ""
        if wrong:
            message = f'"{wrong[:10]}" is Traditional; write zh in Simplified: patients who write Traditional are shown it so'
            yield _warn(faq, (*path, language), "traditional", message)


_RULES = (_same_question, _languages, _channel_limits, _review, _sources, _medicines, _readable, _script)


def _texts(faq: Faq) -> Iterator[tuple[Path, str, str]]:
    """(path of the map, language, text) of everything a patient is shown; questions and examples are not shown."""
    for path, texts in text_maps(faq.file):
        if path[-1] in ("questions", "examples"):
            continue
        for language, text in texts.items():
            yield path, language, text


def _units(text: str) -> int:
    """UTF-16 code units, as LINE and Telegram count."""
    return len(text) + sum(char > "\uffff" for char in text)


# --- rules on how the file's own questions are understood


def _not_own_entry(faq: Faq, asked: list[Asked]) -> Iterator[Problem]:
    reached = {(item.entry.id, item.language) for item in asked if _first(item) == item.entry.id}
    for i, entry in enumerate(faq.file.entries):
        for language in entry.questions:
            if (entry.id, language) not in reached:
                message = f"none of these questions reaches {entry.id}; add plainer ones, as patients would type them"
                yield _warn(faq, ("entries", i, "questions", language), "unreachable", message)
    for item in asked:
        first = _first(item)
        if (
            item.meaning.outcome != "danger"
            and first != item.entry.id
            and (item.entry.id, item.language) in reached
        ):
            leads = f"leads to {first} first" if first else "leads nowhere"
            message = f'"{item.text}" {leads}; word it nearer to {item.entry.id}, or move it there'
            yield _warn(faq, item.path, "other-entry", message)


def _margin(faq: Faq, asked: list[Asked]) -> Iterator[Problem]:
    for item in asked:
        matches = item.meaning.matches
        if item.meaning.outcome == "danger" or len(matches) < 2 or matches[0].id != item.entry.id:
            continue
        if matches[0].score - matches[1].score < MARGIN:
            message = (
                f'"{item.text}" is almost as near to {matches[1].id} '
                f"({matches[0].score:.2f} against {matches[1].score:.2f}); make the two entries' questions differ"
            )
            yield _warn(faq, item.path, "margin", message)


def _trips_danger(faq: Faq, asked: list[Asked]) -> Iterator[Problem]:
    for item in asked:
        # Under an urgent entry a report may stand: the danger reply says the same, and staff are alerted.
        if item.meaning.outcome == "danger" and item.entry.urgency in ("routine", "call"):
            message = (
                f'"{item.text}" raises the alarm {item.meaning.red_flag}: nobody is shown the answer; '
                "ask it in general words, not as a report"
            )
            yield _warn(faq, item.path, "danger-question", message)


def _first(item: Asked) -> str | None:
    return item.meaning.matches[0].id if item.meaning.matches else None


_JUDGES = (_not_own_entry, _margin, _trips_danger)
