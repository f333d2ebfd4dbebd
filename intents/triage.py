"""Danger signs: does this message report one now? Runs first, always, whatever language was detected.

Two kinds of evidence. What the text resembles: the probability, learned from thousands of reports and of lines that only
look like reports, that it is one. And how it is said: a hypothetical, a denial or a memory needs more likeness than a plain
statement. A measured body temperature of fever is a report by itself; a normal one and nothing else is none. Each sentence
is judged on its own too, by a higher bar: among other things, a report hidden behind a routine question would be outvoted.
"""

import re
from dataclasses import dataclass, replace

from intents.evidence import Evidence, SignEvidence
from intents.lexicon import Lexicon
from intents.text import Normalised

ALARM = 0.27  # probability of danger from which a plain statement raises the alarm
ALARM_MARKED = 0.4  # the same where words make it a question, a denial or a memory
CLEAR = 0.1  # share that one sign has by itself; below STRONG, less is a vague unease about everything
STRONG = 0.34  # from here it is a report even where a topic takes the signs' share ("bruise spreading fast")
PART_ALARM = 0.65  # the same three for one sentence of several: alone it lacks what the others make clear
PART_ALARM_MARKED = 0.8
PART_CLEAR = 0.5
WARY = 0.14  # probability of danger from which nothing routine is answered outright
PART_WARY = 0.2  # the same for one sentence
FEVER = "fever_infection"
FEVER_LIKENESS = 0.02  # with a measured temperature, this much likeness to any report is enough

# 37.8 to 42.9 degrees Celsius or 100 to 108.9 Fahrenheit, said with a unit or a word of fever next to it.
_CELSIUS = re.compile(
    r"(?<![\d.,])(?:(?:37[.,点點ど度도][5-9]|3[89](?:[.,点點]\d)?|4[0-2](?:[.,点點]\d)?)\s?(?:°|℃|度|ど|도(?!움)|c\b|degrees?|deg\b)"
    r"|(?:37\.[5-9]|3[89]\.\d|4[0-2]\.\d) ?(?:ある|あり|あっ|出て|出た|でて|でた|나와|나왔|나옴|찍))"
)
_FAHRENHEIT = re.compile(r"(?<![\d.,])10[0-8](?:[.,]\d)?\s?(?:°|f\b|degrees?|fahrenheit|华氏)")


# A body temperature below fever and nothing else.
_NORMAL = re.compile(
    r"(?:3[456](?:[.,点點]\d{1,2})?|37(?:[.,点點][0-4]\d?)?|9[5-9](?:[.,]\d)?) ?(?:°? ?[cf]|°|度(?:[1-4]分)?|도|degrees?)?"
    r"(?: ?(?:です|でした|예요|이에요|입니다|요))?[ .。!?~]*"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sign that is reported, or None; and why. `wary`: none is, but nothing routine may be answered outright."""

    sign: str | None
    why: tuple[str, ...] = ()
    wary: bool = False

    def beside(self, part: "Verdict") -> "Verdict":
        """With what one sentence says: the first report decides."""
        if self.sign or part.sign:
            return self if self.sign else part
        return replace(self, wary=self.wary or part.wary)


HARMLESS = Verdict(None, ("word for word small talk or a word of service",))


def judge(text: Normalised, evidence: Evidence, lexicon: Lexicon) -> Verdict:
    """Weigh what the text resembles and how it is said."""
    if evidence.danger < FEVER_LIKENESS:
        return Verdict(None, (f"danger {evidence.danger:.2f}",))
    sign, share = max(evidence.signs.items(), key=lambda item: item[1], default=("", 0.0))
    marks = lexicon.marks(evidence.mended, text.language)
    alarm = ALARM_MARKED if marks else ALARM
    why = f"danger {evidence.danger:.2f} (alarm from {alarm:.2f}{': ' + ', '.join(sorted(marks)) if marks else ''})"
    if _NORMAL.fullmatch(text.text):
        return Verdict(None, (f"{why}: a normal temperature",), wary=True)
    if evidence.danger >= alarm and (share >= CLEAR or evidence.danger >= STRONG):
        return Verdict(sign, (f"{why}: {sign} {share:.2f}",))
    if not marks and has_fever_temperature(text.text):
        return Verdict(FEVER, (f"{why}: a temperature of fever",))
    return Verdict(None, (why,), evidence.danger >= WARY)


def judge_part(part: Normalised, evidence: SignEvidence, lexicon: Lexicon) -> Verdict:
    """Weigh one sentence of a message that is no report as a whole."""
    sign, share = max(evidence.signs.items(), key=lambda item: item[1], default=("", 0.0))
    wary = evidence.danger >= PART_WARY
    if evidence.danger < PART_ALARM or share < PART_CLEAR:
        return Verdict(None, wary=wary)
    alarm = PART_ALARM_MARKED if lexicon.marks(evidence.mended, part.language) else PART_ALARM
    if evidence.danger < alarm:
        return Verdict(None, wary=wary)
    why = f"danger {evidence.danger:.2f} in one sentence (alarm from {alarm:.2f}): {sign} {share:.2f}"
    return Verdict(sign, (why,))


def has_fever_temperature(text: str) -> bool:
    """Whether folded `text` gives a body temperature of fever."""
    return bool(_CELSIUS.search(text) or _FAHRENHEIT.search(text))
