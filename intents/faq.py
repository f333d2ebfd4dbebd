"""faq.yaml, the staff's file: its shape, and the strict way from text to `Faq`.

`load` returns a Faq or raises FaqProblems with every reason at once, each with its line and column.
"""

import datetime as dt
import hashlib
import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
)
from rapidfuzz import fuzz, process

from intents.languages import DEFAULT_LANGUAGE, LANGUAGES
from intents.messages import EVERYWHERE, MESSAGES
from intents.strict_yaml import Document, FaqProblems, Path, Problem, Scalar, read

Urgency = Literal["routine", "call", "urgent", "emergency"]
URGENCIES: tuple[Urgency, ...] = ("routine", "call", "urgent", "emergency")
LABEL_LENGTH = 20  # LINE cuts a quick reply's label here
ANSWER_LENGTH = 1500
ASKING_ID_LENGTH = 20  # of a step with a check-in: its buttons carry the id, and have 48 bytes
TEXT_LENGTH = 3000
THREAD_LIFT = "thread_lift"  # the kind of procedure that everybody has who is enrolled without naming one
KIND_LENGTH = 24  # of a kind of procedure: the buttons that ask which one carry it

_QUOTE_ME = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
}


def _as_typed(value: Any) -> Any:
    """Refuse unquoted text that other YAML programs read as something else (no, 9:30, 010, 2026-11-20)."""
    reads_as = _QUOTE_ME.get(getattr(value, "reads_as", ""))
    if reads_as and value:
        raise ValueError(f'{value} without quotes is read as {reads_as} by many programs; write "{value}"')
    return str(value) if isinstance(value, str) else value


def _plain(pattern: str, form: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise ValueError(f"{form} is wanted here")
        return str(value) if isinstance(value, str) else value

    return BeforeValidator(check)


Prose = Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=TEXT_LENGTH)]
Short = Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=200)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]
Lang = Literal["en", "ja", "ko", "zh"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Whole = Annotated[int, _plain(r"\d{1,4}", "a whole number such as 14")]
Minutes = Annotated[int, _plain(r"\d{1,3}", "a number of minutes such as 5"), Field(ge=1)]
Share = Annotated[float, _plain(r"0?\.\d+|0|1|1\.0", "a number from 0 to 1 such as 0.6"), Field(ge=0, le=1)]
Flag = Annotated[bool, _plain(r"true|false", "true or false")]
Day = Annotated[dt.date, _plain(r"\d{4}-\d\d-\d\d", "a date such as 2026-11-20")]
Clock = Annotated[dt.time, _plain(r"([01]\d|2[0-3]):[0-5]\d", 'a time with two digits each such as "09:30"')]
Span = Annotated[
    str,
    _plain(
        r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d",
        'opening hours with two digits each such as "10:00-19:00"',
    ),
]
Text = dict[Lang, Prose]
Label = dict[
    Lang, Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=LABEL_LENGTH)]
]
Questions = dict[Lang, Annotated[list[Short], Field(min_length=1)]]

# Fields that hold words for patients: every language that the clinic answers in must be there.
_TEXT_FIELDS = {"label", "answer", "reply", "headline", "text", "questions"}


class Strict(BaseModel):
    """No unknown keys, no change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerWithin(Strict):
    """Minutes until staff are called again about an alert that nobody has read."""

    urgent: Minutes = 5
    call: Minutes = 60


class Clinic(Strict):
    """Who answers: shown to patients, and the defaults of time and place."""

    name: Text
    phone: Short
    emergency_phone: Short
    address: Text
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    timezone: Short
    languages: Annotated[list[Lang], Field(min_length=1)]
    hours: dict[Weekday, list[Span]]
    on_call: dict[Weekday, list[Span]] = {}
    answer_within: AnswerWithin = AnswerWithin()
    closed: list[Day] = []
    price: Text | None = None
    emergency_numbers: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], Short]
    crisis_lines: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], Short]


class Source(Strict):
    """Where a fact comes from, in words a patient can read."""

    label: Text
    doi: Short | None = None
    url: Short | None = None


class Window(Strict):
    """What is true from day `first` to day `last` (none: for good) after the procedure; said before the answer."""

    first: Whole
    last: Whole | None = None
    urgency: Urgency = "routine"
    text: Text

    def holds(self, day: int) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)


class Reviewed(Strict):
    on: Day
    by: Short


class Entry(Strict):
    """One question and its answer."""

    id: Id
    group: Id
    urgency: Urgency
    label: Label
    questions: Questions
    answer: dict[
        Lang,
        Annotated[str, BeforeValidator(_as_typed), StringConstraints(min_length=1, max_length=ANSWER_LENGTH)],
    ]
    by_day: list[Window] = []
    see_also: list[Id] = []
    sources: list[Id] = []
    beyond: Flag = False
    reviewed: Reviewed
    threshold: Share | None = None

    def window(self, day: int | None) -> Window | None:
        """The window that holds on recovery day `day`, if the entry has one."""
        return next((w for w in self.by_day if day is not None and w.holds(day)), None)


class RedFlag(Strict):
    """A danger sign: what to tell the patient at once. `examples` are reports that staff want recognised."""

    id: Id
    urgency: Literal["urgent", "emergency"]
    label: Label
    reply: Text
    examples: Questions | None = None


class Late(Strict):
    """What happens to a reminder that could not go out on time."""

    send_within_hours: Whole
    then: Literal["fold", "skip"]


class CheckIn(Strict):
    """A question that a reminder asks. `asks` says which answers it offers (bot.core.checkins.ANSWERS)."""

    asks: Literal["pain", "swelling", "fine"]
    question: dict[Lang, Short]


class Step(Strict):
    """One reminder: `day` after the procedure (day 0 is its day), `at` local time.

    `only_for`: the kinds of procedure that it belongs to; empty: to every kind.
    """

    id: Id
    only_for: list[Id] = []
    day: Whole
    at: Clock
    urgent: Flag = False
    late: Late
    headline: Text
    text: Text
    check_in: CheckIn | None = None


class QuietHours(Strict):
    start: Clock
    end: Clock


class Reminders(Strict):
    """`procedures`: the kinds that the clinic does, with the names that patients read; none: thread lifts only."""

    quiet_hours: QuietHours
    procedures: dict[Id, Label] = {}
    steps: Annotated[list[Step], Field(min_length=1)]


_FIELDS: dict[str, Any] = dict.fromkeys(MESSAGES, (Text, ...))
Messages: Any = create_model("Messages", __base__=Strict, **_FIELDS)


class FaqFile(Strict):
    """The whole file."""

    clinic: Clinic
    sources: dict[Id, Source]
    groups: dict[Id, Label]
    entries: Annotated[list[Entry], Field(min_length=1)]
    red_flags: Annotated[list[RedFlag], Field(min_length=1)]
    reminders: Reminders
    messages: Messages


@dataclass(frozen=True)
class Faq:
    """A file that passed every check. One message is answered from one Faq, never from two."""

    file: FaqFile
    version: str  # SHA-256 of the text, 12 hexadecimal digits
    places: dict[Path, tuple[int, int]]

    @property
    def clinic(self) -> Clinic:
        return self.file.clinic

    @property
    def languages(self) -> list[Lang]:
        return self.file.clinic.languages

    @cached_property
    def entries(self) -> dict[str, Entry]:
        return {entry.id: entry for entry in self.file.entries}

    @cached_property
    def red_flags(self) -> dict[str, RedFlag]:
        return {flag.id: flag for flag in self.file.red_flags}

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.id: step for step in self.file.reminders.steps}

    @property
    def procedures(self) -> list[str]:
        """The kinds of procedure that a patient may have."""
        return list(self.file.reminders.procedures) or [THREAD_LIFT]

    def steps_of(self, kind: str) -> list[Step]:
        """The plan of a procedure of this kind; one that has left the file keeps what belongs to every kind."""
        return [step for step in self.file.reminders.steps if not step.only_for or kind in step.only_for]

    def procedure_name(self, kind: str, language: str) -> str:
        """The name of a kind of procedure for patients and staff; its id where the file has none (any more)."""
        texts = self.file.reminders.procedures.get(kind)
        return self.say(texts, language) if texts else kind.replace("_", " ")

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column (from 1) of `path`, or of its nearest parent that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def message(self, key: str, language: str) -> str:
        """The bot's own sentence `key` in `language`, placeholders unfilled."""
        texts: dict[str, str] = getattr(self.file.messages, key)
        return self.say(texts, language)

    def say(self, texts: dict[Any, str], language: str) -> str:
        """The text in `language`, else in the clinic's first language."""
        return texts.get(language) or texts.get(self.languages[0]) or next(iter(texts.values()))


def load(source: bytes | str) -> Faq:
    """Text of a faq.yaml -> Faq. Raises FaqProblems with every reason why it must not go live."""
    document = read(source)
    try:
        file = FaqFile.model_validate(document.data)
    except ValidationError as err:
        raise FaqProblems(_translate(err, document)) from err
    problems = [problem for rule in _RULES for problem in rule(file, document)]
    if problems:
        raise FaqProblems(problems)
    raw = source if isinstance(source, bytes) else source.encode()
    return Faq(file, hashlib.sha256(raw).hexdigest()[:12], document.places)


def schema() -> dict[str, Any]:
    """JSON Schema of the file, for editors that complete and check while staff type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **FaqFile.model_json_schema(),
        "title": "Smileline FAQ",
    }


def _translate(err: ValidationError, document: Document) -> list[Problem]:
    """pydantic's errors -> ours: place, what came, what is allowed."""
    found = {}
    for item in err.errors(include_url=False):
        loc: Path = tuple(part for part in item["loc"] if part != "[key]")
        at = document.place(
            (*loc, "?") if item["type"] == "extra_forbidden" or "[key]" in item["loc"] else loc
        )
        where = _name(loc)
        came = item["input"] if isinstance(item["input"], str) else None
        match item["type"]:
            case "extra_forbidden":
                message = f'the key "{loc[-1]}" is not known here{_closest(str(loc[-1]), _siblings(loc))}'
            case "missing":
                message = f'"{loc[-1]}" is missing in {_name(loc[:-1])}'
            case "string_too_short" | "too_short":
                message = f"{where} is empty; write the text or remove the key"
            case "string_too_long" | "too_long":
                message = (
                    f"{where} is too long ({len(came or '')} characters); at most {item['ctx']['max_length']}"
                )
            case "literal_error" | "enum":
                expected = str(item["ctx"]["expected"]).replace("'", '"')
                message = f"{where}: came {_shown(came)}; allowed: {expected}"
            case "string_pattern_mismatch":
                wanted = item["ctx"]["pattern"]
                message = f"{where}: came {_shown(came)}; allowed: {_PATTERNS.get(wanted, wanted)}"
            case "value_error":
                message = f"{where}: came {_shown(came)}; {item['ctx']['error']}"
            case _:
                what = _shown(came) if came is not None else _kind(item["input"])
                message = f"{where}: came {what}; {_TYPES.get(item['type'], item['msg'])}"
        found[(at, message)] = Problem(*at, message)
    return list(found.values())


_PATTERNS = {
    r"^[A-Za-z][A-Za-z0-9_]{0,47}$": "letters, digits and _ (such as smile_pain)",
    r"^[A-Z]{2}$": "a country's two capital letters (such as JP)",
}
_TYPES = {
    "string_type": "a text is wanted here",
    "list_type": "a list (lines that start with -) is wanted here",
    "dict_type": "a map (key: value) is wanted here",
    "model_type": "a map (key: value) is wanted here",
    "model_attributes_type": "a map (key: value) is wanted here",
}


def _shown(value: str | None) -> str:
    return "nothing" if not value else f'"{value[:60]}{"..." if len(value) > 60 else ""}"'


def _kind(value: Any) -> str:
    return "a map" if isinstance(value, dict) else "a list" if isinstance(value, list) else "something else"


def _name(path: Path) -> str:
    words = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in path)
    return words or "the file"


def _in_words(path: Path, file: FaqFile) -> str:
    """The same with an entry's id in place of its number, as staff know it."""
    if path[0] == "entries" and isinstance(path[1], int):
        return f"{file.entries[path[1]].id}.{_name(path[2:])}"
    return _name(path)


def _siblings(path: Path) -> list[str]:
    """The keys allowed where `path` stands, found by walking the models; empty when they are free."""
    model: Any = FaqFile
    for part in path[:-1]:
        if isinstance(part, int) or not hasattr(model, "model_fields") or part not in model.model_fields:
            continue
        model = _model_of(model.model_fields[part].annotation)
    return list(getattr(model, "model_fields", {}))


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_model_of(arg) for arg in getattr(annotation, "__args__", ())]
    return next((model for model in inner if model), None)


def _closest(word: str, allowed: list[str]) -> str:
    best = process.extractOne(word, allowed, scorer=fuzz.ratio, score_cutoff=60)
    if best:
        return f'; did you mean "{best[0]}"?'
    return f"; allowed: {', '.join(allowed)}" if allowed and len(allowed) < 20 else ""


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
                    f'{_in_words(path, file)} has no text in "{language}", which the clinic lists',
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
                        f'{_in_words((*path, language), file)}: the placeholder "{name}" is not known here; '
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
                    *document.place((*path, i, "id")), f'the id "{item.id}" is used twice in {_name(path)}'
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
                    yield Problem(*at, f'{entry.id}.{field}: "{name}" is not known{_closest(name, known)}')
        if entry.group not in file.groups:
            at = document.place(("entries", i, "group"))
            yield Problem(
                *at,
                f'{entry.id}: the group "{entry.group}" is not known{_closest(entry.group, list(file.groups))}',
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
                yield Problem(*here, f'{step.id}.only_for: "{name}" is not known{_closest(name, kinds)}')


_RULES = (
    _every_language, _placeholders, _unique_ids, _known_references, _windows, _clinic, _check_ins, _procedures,
)  # fmt: skip

__all__ = [
    "DEFAULT_LANGUAGE",
    "Entry",
    "Faq",
    "FaqProblems",
    "Problem",
    "RedFlag",
    "Scalar",
    "Step",
    "Urgency",
    "load",
    "schema",
    "text_maps",
]
