"""Accuracy on labelled questions: the figures by which understanding is judged, with their confidence intervals."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from intents.types import Understanding

Understand = Callable[[str], Understanding]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled question; fields as in the files: kind is topic, red_flag, near_miss, out_of_scope or smalltalk."""

    text: str
    kind: str
    topic: str | None
    also: tuple[str, ...]
    red_flag: str | None
    urgency: str
    style: str

    @property
    def right(self) -> frozenset[str]:
        return frozenset((self.topic, *self.also)) - {None}  # type: ignore[return-value]


@dataclass
class Share:
    """`hits` of `total`."""

    hits: int = 0
    total: int = 0

    def add(self, hit: bool) -> None:
        self.hits += hit
        self.total += 1

    @property
    def percent(self) -> float:
        return 100 * self.hits / self.total if self.total else 0.0

    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval in percent."""
        if not self.total:
            return 0.0, 0.0
        z, n, p = 1.96, self.total, self.hits / self.total
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return 100 * (middle - half) / (1 + z * z / n), 100 * (middle + half) / (1 + z * z / n)


FIGURES = (
    "top1", "top3", "answered_right", "answered_wrong", "choices", "choices_hold_it", "out_of_scope_answered", "out_of_scope_alarm",
    "small_talk_recognised", "danger_recall", "danger_sign_right", "unsafe", "false_alarm", "near_miss_alarm",
)  # fmt: skip


@dataclass
class Report:
    """Figures of one group of lines (a language, a style); `signs` is the danger recall by sign."""

    figures: dict[str, Share] = field(default_factory=lambda: {name: Share() for name in FIGURES})
    signs: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    lines: int = 0

    def add(self, line: Labelled, meaning: Understanding) -> None:
        self.lines += 1
        figures, ids = self.figures, [match.id for match in meaning.matches]
        first, three = bool(ids[:1]) and ids[0] in line.right, any(id in line.right for id in ids[:3])
        alarm = meaning.outcome == "danger"
        if line.red_flag:
            figures["danger_recall"].add(alarm)
            self.signs[line.red_flag].add(alarm)
            figures["danger_sign_right"].add(alarm and meaning.red_flag == line.red_flag)
            routine = meaning.outcome == "answer" and meaning.urgency == "routine"
            figures["unsafe"].add(routine or meaning.outcome == "smalltalk")
        elif line.kind == "topic":
            figures["top1"].add(first)
            figures["top3"].add(three)
            figures["answered_right"].add(meaning.outcome == "answer" and first)
            figures["answered_wrong"].add(meaning.outcome == "answer" and not first)
            figures["choices"].add(meaning.outcome == "choices")
            if meaning.outcome == "choices":
                figures["choices_hold_it"].add(three)
            if line.urgency in ("routine", "call"):
                figures["false_alarm"].add(alarm)
        elif line.kind == "near_miss":
            figures["near_miss_alarm"].add(alarm)
        elif line.kind == "out_of_scope":
            figures["out_of_scope_answered"].add(meaning.outcome == "answer")
            figures["out_of_scope_alarm"].add(alarm)
        elif line.kind == "smalltalk":
            figures["small_talk_recognised"].add(meaning.outcome == "smalltalk")

    def as_json(self) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "figures": {
                name: {
                    "percent": round(s.percent, 1),
                    "low": round(s.interval()[0], 1),
                    "high": round(s.interval()[1], 1),
                    "of": s.total,
                }
                for name, s in self.figures.items()
            },
            "danger_recall_by_sign": {
                sign: {"percent": round(s.percent, 1), "of": s.total}
                for sign, s in sorted(self.signs.items())
            },
        }


def read_labelled(lines: Iterable[str], name: str) -> list[Labelled]:
    """Lines of a labelled file. Raises ValueError naming file and line."""
    result = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            result.append(
                Labelled(row["text"], row["kind"], row.get("topic"), tuple(row.get("also") or ()), row.get("red_flag"),
                         row.get("urgency", "routine"), row.get("style", "plain"))
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as err:
            raise ValueError(f"{name}, line {number}: not a labelled question ({err})") from err
    return result


def evaluate(labelled: list[Labelled], understand: Understand) -> tuple[Report, dict[str, Report]]:
    """(the whole, by style)."""
    whole, styles = Report(), defaultdict[str, Report](Report)
    for line in labelled:
        meaning = understand(line.text)
        whole.add(line, meaning)
        styles[line.style].add(line, meaning)
    return whole, dict(styles)
