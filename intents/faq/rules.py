"""What must hold between the parts of a faq.yaml that has the right shape: each rule yields what breaks it."""

import string
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from intents.faq.errors import closest, in_words, name_of
from intents.faq.shape import ASKING_ID_LENGTH, KIND_LENGTH, THREAD_LIFT, FaqFile
from intents.languages import LANGUAGES
from intents.messages import EVERYWHERE, MESSAGES
from intents.strict_yaml import Document, Path, Problem


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every map from language to text, with its path."""
    if isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from _texts(getattr(value, key), (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _texts(item, (*path, i))
    elif isinstance(value, dict) and value:
        if path[-1] not in ("emergency_numbers", "crisis_lines", "hours", "on_call") and set(value) <= set(
            LANGUAGES
        ):
            yield path, value
        else:
            for key, item in value.items():
                yield from _texts(item, (*path, key))


def text_maps(file: FaqFile) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every map from language to words of the file, with its path; questions map to lists."""
    return _texts(file, ())


def _every_language(file: FaqFile, document: Document) -> Iterator[Problem]:
    for path, texts in _texts(file, ()):
        for language in file.clinic.languages:
            if language not in texts and path[-1] != "examples":
                yield Problem(
                    *document.place(path),
                    f'{in_words(path, file)} has no text in "{language}", which the clinic lists',
                )


def _placeholders(file: FaqFile, document: Document) -> Iterator[Problem]:
    for path, texts in _texts(file, ()):
        allowed = {*EVERYWHERE, *(MESSAGES[str(path[1])] if path[0] == "messages" else ())}
        for language, value in texts.items():
            for text in value if isinstance(value, list) else [value]:
                try:
                    names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
                except ValueError:
                    names = {"a brace without its partner"}
                for name in sorted(names - allowed):
                    yield Problem(
                        *document.place((*path, language)),
                        f'{in_words((*path, language), file)}: the placeholder "{name}" is not known here; '
                        f"allowed: {', '.join('{' + a + '}' for a in sorted(allowed))}",
                    )


def _unique_ids(file: FaqFile, document: Document) -> Iterator[Problem]:
    lists: list[tuple[Path, list[Any]]] = [
        (("entries",), file.entries),
        (("red_flags",), file.red_flags),
        (("reminders", "steps"), file.reminders.steps),
    ]
    for path, items in lists:
        seen = Counter[str]()
        for i, item in enumerate(items):
            seen[item.id] += 1
            if seen[item.id] > 1:
                yield Problem(
                    *document.place((*path, i, "id")), f'the id "{item.id}" is used twice in {name_of(path)}'
                )


def _known_references(file: FaqFile, document: Document) -> Iterator[Problem]:
    ids = [entry.id for entry in file.entries]
    for i, entry in enumerate(file.entries):
        wanted: list[tuple[str, list[str], list[str]]] = [
            ("see_also", entry.see_also, ids),
            ("sources", entry.sources, list(file.sources)),
        ]
        for field, names, known in wanted:
            for j, name in enumerate(names):
                if name not in known:
                    at = document.place(("entries", i, field, j))
                    yield Problem(*at, f'{entry.id}.{field}: "{name}" is not known{closest(name, known)}')
        if entry.group not in file.groups:
            at = document.place(("entries", i, "group"))
            yield Problem(
                *at,
                f'{entry.id}: the group "{entry.group}" is not known{closest(entry.group, list(file.groups))}',
            )
        if entry.id in entry.see_also:
            yield Problem(
                *document.place(("entries", i, "see_also")), f"{entry.id}: see_also names the entry itself"
            )


def _windows(file: FaqFile, document: Document) -> Iterator[Problem]:
    """Windows start at day 0, follow one another without gap or overlap, and the last one is open."""
    for i, entry in enumerate(file.entries):
        expected: int | None = 0
        for j, window in enumerate(entry.by_day):
            at = document.place(("entries", i, "by_day", j))
            if expected is None or window.first != expected:
                wanted = "nothing: the window before has no end" if expected is None else f"day {expected}"
                yield Problem(
                    *at,
                    f"{entry.id}.by_day: this window starts on day {window.first}, but {wanted} comes next",
                )
            if window.last is not None and window.last < window.first:
                yield Problem(
                    *at, f"{entry.id}.by_day: the window ends on day {window.last} before it starts"
                )
            expected = None if window.last is None else window.last + 1
        if entry.by_day and expected is not None:
            at = document.place(("entries", i, "by_day", len(entry.by_day) - 1))
            yield Problem(
                *at,
                f'{entry.id}.by_day: nothing is said from day {expected}; leave out "last" in the last window',
            )


@cache
def _zones() -> set[str]:
    """The zones of this machine: 600 files, looked at once."""
    import zoneinfo

    return zoneinfo.available_timezones()


def _clinic(file: FaqFile, document: Document) -> Iterator[Problem]:
    if file.clinic.timezone not in _zones():
        at = document.place(("clinic", "timezone"))
        yield Problem(
            *at, f'clinic.timezone: "{file.clinic.timezone}" is no zone; write one such as "Asia/Tokyo"'
        )
    for field in ("emergency_numbers", "crisis_lines"):
        if file.clinic.country not in getattr(file.clinic, field):
            at = document.place(("clinic", field))
            yield Problem(
                *at, f'clinic.{field} has no number for the clinic\'s own country "{file.clinic.country}"'
            )


def _check_ins(file: FaqFile, document: Document) -> Iterator[Problem]:
    for i, step in enumerate(file.reminders.steps):
        if step.check_in and len(step.id) > ASKING_ID_LENGTH:
            at = document.place(("reminders", "steps", i, "id"))
            yield Problem(
                *at, f"{step.id}: the id of a step with a check_in has at most {ASKING_ID_LENGTH} characters"
            )


def _procedures(file: FaqFile, document: Document) -> Iterator[Problem]:
    kinds = list(file.reminders.procedures) or [THREAD_LIFT]
    at = document.place(("reminders", "procedures"))
    if THREAD_LIFT not in kinds:
        yield Problem(
            *at, f"reminders.procedures: {THREAD_LIFT} is missing; patients enrolled so far have it"
        )
    for kind in kinds:
        if len(kind) > KIND_LENGTH:
            yield Problem(*at, f'reminders.procedures: "{kind}" has more than {KIND_LENGTH} characters')
    for i, step in enumerate(file.reminders.steps):
        for j, name in enumerate(step.only_for):
            if name not in kinds:
                here = document.place(("reminders", "steps", i, "only_for", j))
                yield Problem(*here, f'{step.id}.only_for: "{name}" is not known{closest(name, kinds)}')


RULES = (
    _every_language, _placeholders, _unique_ids, _known_references, _windows, _clinic, _check_ins, _procedures,
)  # fmt: skip
