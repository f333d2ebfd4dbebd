"""The regression gate: accuracy and danger recall on labelled questions must not fall below the figures kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from intents.evaluate import Report

GUARDED = ("top1", "danger_recall")
ROUNDING = 0.05  # figures are kept with one decimal

Baseline = dict[str, dict[str, float]]  # name of the labelled file -> figure -> percent


@dataclass(frozen=True, slots=True)
class Fall:
    """A figure below the one that is kept."""

    name: str
    figure: str
    kept: float
    now: float

    def __str__(self) -> str:
        return f"{self.name}: {self.figure} fell from {self.kept:.1f} % to {self.now:.1f} %"


def figures(reports: Mapping[str, Report]) -> Baseline:
    """The guarded figures of each report, in percent with one decimal."""
    return {
        name: {figure: round(report.figures[figure].percent, 1) for figure in GUARDED}
        for name, report in reports.items()
    }


def falls(now: Baseline, kept: Baseline) -> list[Fall]:
    """Every guarded figure that is lower than kept. A file that the baseline does not know falls by nothing."""
    return [
        Fall(name, figure, before, now[name][figure])
        for name, row in kept.items()
        if name in now
        for figure, before in row.items()
        if figure in now[name] and now[name][figure] < before - ROUNDING
    ]
