"""The strict way from the text of a faq.yaml to `Faq`, or to every reason why it must not go live."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from intents.faq.errors import translated
from intents.faq.rules import RULES
from intents.faq.shape import THREAD_LIFT, Clinic, Entry, FaqFile, Lang, RedFlag, Step
from intents.strict_yaml import FaqProblems, Path, read


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
        raise FaqProblems(translated(err, document)) from err
    problems = [problem for rule in RULES for problem in rule(file, document)]
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
