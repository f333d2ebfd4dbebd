"""Danger signs: does this message report one now? Runs first, always, whatever language was detected."""

from dataclasses import dataclass

from intents.match import Evidence
from intents.text import Normalised

ALARM = 0.25  # probability of all danger signs together from which the alarm is raised


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sign that is reported, or None; and why."""

    sign: str | None
    why: tuple[str, ...] = ()


def judge(text: Normalised, evidence: Evidence) -> Verdict:
    """Weigh what the text resembles."""
    sign, share = max(evidence.signs.items(), key=lambda item: item[1], default=("", 0.0))
    if evidence.danger >= ALARM:
        return Verdict(sign, (f"danger {evidence.danger:.2f}: {sign} {share:.2f}",))
    return Verdict(None, (f"danger {evidence.danger:.2f}",))
