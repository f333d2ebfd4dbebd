"""What another version of the FAQ would change: which questions get another answer, and whether that is better.

Two Understanders of the same learning, one for each version, are asked the same questions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from intents.evaluate import Labelled
from intents.faq import Faq
from intents.types import Understanding
from intents.understand import Understander

Verdict = Literal["better", "worse", "other"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to try. `right` are the entries known to answer it, `sign` the danger sign it reports; empty: unknown."""

    text: str
    language: str | None = None
    right: frozenset[str] = frozenset()
    sign: str | None = None
    origin: str = "past"

    @staticmethod
    def of(line: Labelled, origin: str) -> "Probe":
        return Probe(line.text, None, line.right, line.red_flag, origin)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a patient would get: danger names the sign, an answer its entry, choices all that are offered."""

    kind: str
    ids: tuple[str, ...] = ()

    @staticmethod
    def of(meaning: Understanding) -> "Outcome":
        match meaning.outcome:
            case "danger":
                return Outcome("danger", (meaning.red_flag or "possible",))
            case "answer":
                return Outcome("answer", tuple(match.id for match in meaning.matches[:1]))
            case "choices":
                return Outcome("choices", tuple(match.id for match in meaning.matches[:3]))
            case "smalltalk":
                return Outcome("smalltalk", (meaning.service or meaning.small_talk or "",))
        return Outcome("unknown")

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.ids)}" if self.ids else self.kind


@dataclass(frozen=True, slots=True)
class Change:
    """One question whose outcome differs."""

    probe: Probe
    before: Outcome
    after: Outcome
    verdict: Verdict

    def as_json(self) -> dict[str, object]:
        return {
            "text": self.probe.text,
            "origin": self.probe.origin,
            "before": str(self.before),
            "after": str(self.after),
            "verdict": self.verdict,
        }


def changes(before: Understander, after: Understander, probes: Iterable[Probe]) -> list[Change]:
    """The probes whose outcome differs, the ones that got worse first."""
    found = []
    for probe in probes:
        old = Outcome.of(before.understand(probe.text, probe.language))
        new = Outcome.of(after.understand(probe.text, probe.language))
        if old != new:
            found.append(Change(probe, old, new, _judge(probe, old, new)))
    order = ("worse", "better", "other")
    return sorted(found, key=lambda change: order.index(change.verdict))


def _judge(probe: Probe, old: Outcome, new: Outcome) -> Verdict:
    if old.kind == "danger" and new.kind != "danger" and not probe.right:
        return "worse"  # an alarm that falls silent counts as worse until someone has labelled it
    if not (probe.right or probe.sign):
        return "other"
    a, b = _worth(probe, old), _worth(probe, new)
    return "better" if b > a else "worse" if b < a else "other"


def _worth(probe: Probe, outcome: Outcome) -> int:
    """How well an outcome serves: the alarm or the right answer, then choices that hold it, then honest ignorance."""
    if probe.sign:
        return 2 if outcome == Outcome("danger", (probe.sign,)) else int(outcome.kind == "danger")
    hit = bool(probe.right.intersection(outcome.ids))
    match outcome.kind:
        case "answer":
            return 3 if hit else 0
        case "choices":
            return 2 if hit else 0
        case "unknown":
            return 1
    return 0


@dataclass(frozen=True, slots=True)
class TextChange:
    """An entry that is new, gone, or worded otherwise."""

    id: str
    what: str  # added | removed | the changed parts, by commas

    def __str__(self) -> str:
        return f"{self.id}: {self.what}"


def text_changes(old: Faq, new: Faq) -> list[TextChange]:
    """Entries and danger replies whose words or settings differ, in the order of the new file."""
    found = []
    for before, after in ((old.entries, new.entries), (old.red_flags, new.red_flags)):
        for id in (*after, *(gone for gone in before if gone not in after)):
            if id not in before:
                found.append(TextChange(id, "added"))
            elif id not in after:
                found.append(TextChange(id, "removed"))
            elif before[id] != after[id]:
                found.append(TextChange(id, ", ".join(_differing(before[id], after[id]))))
    return found


def _differing(before: object, after: object) -> list[str]:
    """The changed fields, with the languages in which they changed."""
    names = []
    for field in type(after).model_fields:  # type: ignore[attr-defined]
        a, b = getattr(before, field), getattr(after, field)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            languages = [code for code in {**a, **b} if a.get(code) != b.get(code)]
            names.append(f"{field} ({' '.join(languages)})")
        else:
            names.append(field)
    return names
