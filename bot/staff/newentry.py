"""A new entry as it stands in the form: words in every language, and what is still missing. Pure."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.staff import faqfile
from intents.faq import URGENCIES, Faq
from intents.faq.shape import LABEL_LENGTH
from intents.languages import LANGUAGES

ID_LENGTH = 32  # so that every button that names the entry stays within what the messengers carry
UNREAD = "{who}; a doctor has to read it before going live"
_ID = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{ID_LENGTH - 1}}}")
_FILLER = "…"


@dataclass(frozen=True, slots=True)
class NewEntry:
    """`questions` maps a language to its phrasings. `reviewed_by` empty: no doctor has read it yet."""

    id: str = ""
    group: str = ""
    urgency: str = "routine"
    label: Mapping[str, str] = field(default_factory=dict)
    questions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answer: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    reviewed_by: str = ""

    @staticmethod
    def typed(form: Mapping[str, str], faq: Faq) -> "NewEntry":
        """What stands in the form; an empty id is made from the English label."""
        languages: list[str] = [*faq.languages]
        label = {code: _line(form.get(f"label_{code}", "")) for code in languages}
        return NewEntry(
            _line(form.get("id", "")) or suggested_id(label.get("en", "")),
            form.get("group", ""),
            form.get("urgency", "routine"),
            label,
            {code: _lines(form.get(f"questions_{code}", "")) for code in languages},
            {code: _block(form.get(f"answer_{code}", "")) for code in languages},
            tuple(id for id in faq.file.sources if form.get(f"source_{id}")),
            _line(form.get("reviewed_by", ""))[:100],
        )

    def problems(self, faq: Faq) -> list[str]:
        """What must be mended before the file's own rules can be asked, in words."""
        return [*self._head(faq), *self._missing(faq)]

    def _head(self, faq: Faq) -> list[str]:
        found = []
        if not _ID.fullmatch(self.id):
            found.append(
                f'The id "{self.id[:40]}" cannot be used: letters, digits and _ only, a letter first, at most {ID_LENGTH}.'
                if self.id
                else "Give it an id, or an English label from which one is made."
            )
        elif self.id in faq.entries:
            found.append(f'The id "{self.id}" is taken; choose another, or change that entry.')
        if self.group not in faq.file.groups:
            found.append("Choose a group.")
        if self.urgency not in URGENCIES:
            found.append("Choose an urgency.")
        return found

    def _missing(self, faq: Faq) -> list[str]:
        rows = []
        for code in faq.languages:
            parts = (("label", self.label), ("answer", self.answer), ("questions", self.questions))
            empty = [name for name, texts in parts if not texts.get(code)]
            if empty:
                rows.append(f"{LANGUAGES[code].name}: {', '.join(empty)}")
        return [f"Still missing: {'; '.join(rows)}."] if rows else []

    def filled(self) -> "NewEntry":
        """With a mark in every gap, so that the rest can be checked and drawn while it is typed."""
        codes = list(self.label)
        return replace(
            self,
            id=self.id if _ID.fullmatch(self.id) else "new_entry",
            label={code: self.label[code] or _FILLER for code in codes},
            questions={code: self.questions[code] or [f"{_FILLER} {code}"] for code in codes},
            answer={code: self.answer[code] or _FILLER for code in codes},
        )

    def value(self, who: str, today: dt.date) -> dict[str, Any]:
        """In the file's shape. Unless a doctor has read it, patients are told that it is general guidance."""
        return {
            "id": self.id,
            "group": self.group,
            "urgency": self.urgency,
            **({} if self.reviewed_by else {"beyond": True}),
            "label": dict(self.label),
            "questions": {code: list(texts) for code, texts in self.questions.items()},
            "answer": dict(self.answer),
            **({"sources": list(self.sources)} if self.sources else {}),
            "reviewed": {"on": today.isoformat(), "by": self.reviewed_by or UNREAD.format(who=who)},
        }

    def into(self, text: str, who: str, today: dt.date) -> str:
        """The file's `text` with this entry. Raises EditRefused, or FaqProblems when it may not go live."""
        return faqfile.add_entry(text, self.value(who, today))

    @property
    def mark(self) -> str:
        """Changes whenever a word of the draft does."""
        parts = (self.id, self.group, self.urgency, dict(self.label), {c: list(q) for c, q in self.questions.items()},
                 dict(self.answer), self.sources, self.reviewed_by)  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def suggested_id(label: str) -> str:
    """ "Playing the trumpet" -> "playing_the_trumpet"; empty when nothing of it can stand in an id."""
    bare = re.sub(r"[^a-z0-9]+", "_", label.casefold()).strip("_")
    return bare.lstrip("0123456789_")[:ID_LENGTH].rstrip("_")


def _line(text: str) -> str:
    return " ".join(text.split())


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(line for part in text.splitlines() if (line := _line(part))))


def _block(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))


__all__ = ["ID_LENGTH", "LABEL_LENGTH", "NewEntry", "suggested_id"]
