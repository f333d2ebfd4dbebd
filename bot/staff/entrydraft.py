"""What stands in the form of one entry, in one language, and the edits that it comes to. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.staff import entryfields, faqfile
from bot.staff.entryfields import DayWindow
from bot.staff.saving import EditRefused
from intents.faq import Entry, Faq

WORDS = ("label", "answer", "questions")
_LISTS = ("see_also", "sources")


@dataclass(frozen=True, slots=True)
class About:
    """What kind of entry it is, in every language alike. `threshold`: as typed; empty for the usual one."""

    group: str = ""
    urgency: str = ""
    beyond: str = ""  # "true" or empty
    threshold: str = ""
    see_also: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @staticmethod
    def of(entry: Entry) -> "About":
        threshold = "" if entry.threshold is None else f"{entry.threshold:g}"
        beyond = "true" if entry.beyond else ""
        return About(
            entry.group, entry.urgency, beyond, threshold, tuple(entry.see_also), tuple(entry.sources)
        )

    @staticmethod
    def typed(form: Mapping[str, str], entry: Entry, faq: Faq) -> "About":
        """A form without this part changes nothing of it."""
        if not form.get("about"):
            return About.of(entry)
        ticked = [id for id in faq.file.sources if form.get(f"source_{id}")]
        known = [id for id in entry.sources if id in ticked]  # in the order in which patients read them
        return About(
            form.get("group", "").strip(),
            form.get("urgency", ""),
            "true" if form.get("beyond") else "",
            form.get("threshold", "").strip(),
            tuple(dict.fromkeys(form.get("see_also", "").replace(",", " ").split())),
            tuple(known + [id for id in ticked if id not in known]),
        )

    def changed(self, before: "About") -> list[str]:
        names = ("group", "urgency", "beyond", "threshold", "see_also", "sources")
        return [name for name in names if getattr(self, name) != getattr(before, name)]


@dataclass(frozen=True, slots=True)
class Window:
    """A day window in the form. `first`: as typed; its end is the next one's beginning. A new one has words in all languages."""

    first: str
    urgency: str
    texts: Mapping[str, str]
    origin: int | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the form: one language of one entry, and what is the same in all."""

    label: str
    answer: str
    questions: str  # one a line
    reviewed_by: str = ""
    reviewed_on: str = ""  # YYYY-MM-DD; empty: today
    about: About = field(default_factory=About)
    windows: tuple[Window, ...] = ()
    new: Window = field(default_factory=lambda: Window("", "routine", {}))

    @staticmethod
    def of(entry: Entry, language: str) -> "Draft":
        label, answer, questions = (_in(getattr(entry, name), language) for name in WORDS)
        return Draft(
            label or "",
            answer or "",
            "\n".join(questions or []),
            about=About.of(entry),
            windows=tuple(
                Window(
                    str(window.first), window.urgency, {language: _in(window.text, language) or ""}, number
                )
                for number, window in enumerate(entry.by_day)
            ),
        )

    @staticmethod
    def typed(form: Mapping[str, str], entry: Entry, language: str, faq: Faq) -> "Draft":
        """Parts that the form does not have are as in the entry."""
        codes: list[str] = [*faq.languages]
        texts = {code: _block(form.get(f"new_text_{code}", "")) for code in codes}
        label, answer, questions = (_block(form.get(name, "")) for name in WORDS)
        return Draft(
            _line(label),
            answer,
            questions,
            _line(form.get("reviewed_by", ""))[:100],
            form.get("reviewed_on", "").strip(),
            About.typed(form, entry, faq),
            _windows(form, language) if form.get("windows") else Draft.of(entry, language).windows,
            Window(form.get("new_first", "").strip(), form.get("new_urgency", "routine"), texts),
        )

    def changed(self, before: "Draft") -> list[str]:
        """The names of the fields that differ, and "reviewed" where a doctor or a day is named."""
        fields = [name for name in WORDS if getattr(self, name) != getattr(before, name)]
        fields += self.about.changed(before.about)
        if self.windows != before.windows or self._adds:
            fields.append("by_day")
        return [*fields, *(["reviewed"] if self.reviewed_by or self.reviewed_on else [])]

    @property
    def _adds(self) -> bool:
        return bool(self.new.first or any(self.new.texts.values()))

    def into(self, text: str, entry: Entry, language: str, today: dt.date) -> str:
        """The file's `text` with this draft. Raises EditRefused, or FaqProblems when it may not go live."""
        changed = self.changed(Draft.of(entry, language))
        for name in ("label", "answer"):
            if name in changed:
                text = faqfile.set_text(text, entry.id, name, language, getattr(self, name))
        if "questions" in changed:
            text = faqfile.set_questions(text, entry.id, language, self.questions.splitlines())
        for name in self.about.changed(About.of(entry)):
            value = getattr(self.about, name)
            text = entryfields.set_field(text, entry.id, name, list(value) if name in _LISTS else value)
        if "by_day" in changed:
            text = entryfields.set_windows(text, entry.id, self._in_order())
        if "reviewed" in changed:
            by = self.reviewed_by or entry.reviewed.by
            text = faqfile.set_reviewed(text, entry.id, _review_day(self.reviewed_on, today), by)
        return text

    def _in_order(self) -> list[DayWindow]:
        """The windows with their ends; a new one stands before the first that begins later."""
        rows = [(_day(window.first), window) for window in self.windows if not window.gone]
        if self._adds:
            first = _day(self.new.first)
            rows.insert(sum(begins <= first for begins, _ in rows), (first, self.new))
        ends = [str(begins - 1) for begins, _ in rows[1:]]
        return [
            DayWindow(str(first), end, window.urgency, window.texts, window.origin)
            for (first, window), end in zip(rows, [*ends, None], strict=True)
        ]


def _windows(form: Mapping[str, str], language: str) -> tuple[Window, ...]:
    count = form.get("windows", "")
    numbers = range(int(count) if count.isascii() and count.isdigit() and len(count) < 3 else 0)
    return tuple(
        Window(
            form.get(f"w{n}_first", "").strip(),
            form.get(f"w{n}_urgency", "routine"),
            {language: _block(form.get(f"w{n}_text", ""))},
            n,
            bool(form.get(f"w{n}_gone")),
        )
        for n in numbers
    )


def _day(typed: str) -> int:
    if not (typed.isascii() and typed.isdigit() and len(typed) < 5):
        raise EditRefused(f'A window begins on a day such as 14; "{typed[:20]}" is none')
    return int(typed)


def _review_day(typed: str, today: dt.date) -> str:
    try:
        day = dt.date.fromisoformat(typed) if typed else today
    except ValueError:
        raise EditRefused("The day of the review is written such as 2026-11-20") from None
    if day > today:
        raise EditRefused("The day of the review has not come yet")
    return day.isoformat()


def _line(text: str) -> str:
    return " ".join(text.splitlines()).strip()


def _block(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _in(texts: Any, language: str) -> Any:
    return texts.get(language)
