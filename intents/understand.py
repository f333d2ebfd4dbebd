"""The one call that others use: text -> Understanding.

Triage comes first, on the whole text. Then the small words of service, small talk, and the FAQ: an answer when sure, choices
when not, and an honest "I do not know" when nothing fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from intents import scope, triage
from intents.brain import Brain, load_or_train, remembered
from intents.evidence import Evidence
from intents.faq import URGENCIES, Faq, Urgency
from intents.features import words
from intents.keyboard import from_english_layout
from intents.library import Library
from intents.match import Matcher
from intents.model import quiet
from intents.reading import Progress
from intents.text import Normalised, bare, normalise
from intents.types import Match, Service, Understanding

Message = tuple[str, str | None]  # text, its writer's own language where that is known

ANSWER = 0.66  # confidence from which one answer is given outright
CHOICES = 0.12  # confidence from which choices are offered
SURE = 0.85  # confidence in a whole message from which its only question is not looked at by itself
VERBATIM = 0.97  # likeness from which the text is a known phrasing, word for word
SERVICE = 0.55  # probability from which a word of service is obeyed
SMALL_TALK = 0.5  # probability from which it is answered as such
OF_MANY_WAYS = (
    "good_news",
    "worry",
    "follow_up",
)  # said in so many that less is enough, where no topic has more
LESS = 0.25
CERTAIN = 0.9  # probability of danger from which known words of small talk report one all the same: staff may say so
HINT = 0.005  # probability of danger in a whole message from which its sentences are looked at one by one


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the message with this number: whether it may report danger, and whether it asks something."""

    number: int
    text: Normalised
    judged: bool
    asks: bool


@dataclass(frozen=True)
class Understander:
    """Understands messages by one version of the FAQ. `with_faq` makes the next one in well under a second."""

    faq: Faq
    brain: Brain
    matcher: Matcher

    @staticmethod
    def build(
        faq: Faq, cache: Path | None = None, progress: Progress = quiet, library: Library | None = None
    ) -> "Understander":
        """Train, or load what was trained before from `cache`."""
        brain = load_or_train(library, cache, progress)
        read = partial(remembered, brain, cache) if cache else None
        matcher = Matcher(brain.model, brain.speller, brain.lexicon, brain.phrases, faq, read)
        return Understander(faq, brain, matcher)

    def with_faq(self, faq: Faq) -> "Understander":
        """The same learning for another version of the FAQ."""
        brain = self.brain
        matcher = Matcher(brain.model, brain.speller, brain.lexicon, brain.phrases, faq)
        return Understander(faq, brain, matcher)

    def understand(self, text: str, hint: str | None = None) -> Understanding:
        """The meaning of `text`. `hint` is the patient's own language, used where the script leaves it open.

        Never raises: whatever fails counts as possible danger, and the patient is shown the way to a person.
        """
        return self.understand_all([(text, hint)])[0]

    def understand_all(self, messages: Sequence[Message]) -> list[Understanding]:
        """The meaning of each message: the same that `understand` gives, for half of the price where there are many."""
        try:
            return self._understand(messages)
        except Exception as err:  # the outermost step: a gate that errs counts as possible danger
            if len(messages) > 1:  # what fails with one shall not cost the others
                return [self.understand(*message) for message in messages]
            text, hint = messages[0]
            why = (f"failed: {type(err).__name__}",)
            return [Understanding(text, hint or "en", "danger", "urgent", None, why=why)]

    def _understand(self, messages: Sequence[Message]) -> list[Understanding]:
        texts = [self._normalise(*message) for message in messages]
        found = self.matcher.evidence(texts)
        verdicts, asked = self._parts(texts, found, self._triage(texts, found))
        typed = [text for text, _ in messages]
        return [self._meaning(*one) for one in zip(typed, texts, found, verdicts, asked, strict=True)]

    def _meaning(
        self,
        typed: str,
        normalised: Normalised,
        evidence: Evidence,
        verdict: triage.Verdict,
        asked: dict[str, Match],
    ) -> Understanding:
        matches = tuple(
            Match(id, round(p, 4), evidence.phrase if i == 0 else "")
            for i, (id, p) in enumerate(evidence.topics)
        )
        common = (typed, normalised.language)
        if verdict.sign:
            flag = self.faq.red_flags.get(verdict.sign)
            urgency: Urgency = flag.urgency if flag else "urgent"
            return Understanding(
                *common,
                "danger",
                urgency,
                verdict.sign,
                matches,
                traditional=normalised.traditional,
                why=verdict.why,
            )
        meaning = self._routine(normalised, evidence, matches, verdict)
        also = tuple(match for id, match in asked.items() if id != matches[0].id) if matches else ()
        return replace(meaning, also=also) if also else meaning

    def _triage(self, texts: Sequence[Normalised], found: Sequence[Evidence]) -> list[triage.Verdict]:
        lexicon = self.brain.lexicon
        return [
            triage.HARMLESS
            if self._said(text.text) and evidence.danger < CERTAIN
            else triage.judge(text, evidence, lexicon)
            for text, evidence in zip(texts, found, strict=True)
        ]

    def _said(self, folded: str) -> str:
        """The label of small talk or service that stands in the library word for word, or ""."""
        return self.brain.verbatim.get(bare(folded), "")

    def _parts(
        self, texts: Sequence[Normalised], found: Sequence[Evidence], verdicts: list[triage.Verdict]
    ) -> tuple[list[triage.Verdict], list[dict[str, Match]]]:
        """The verdicts with what each sentence says of danger, and what the questions of a message ask about, each by itself:
        "Can I drink? And when can I fly?".
        """
        asked: list[dict[str, Match]] = [{} for _ in texts]
        open_ = [
            n for n, verdict in enumerate(verdicts) if not verdict.sign and verdict is not triage.HARMLESS
        ]
        parts = [part for number in open_ for part in self._parts_of(number, texts[number], found[number])]
        if not parts:
            return verdicts, asked
        read = self.matcher.parts([part.text for part in parts], [part.asks for part in parts])
        for part, (signs, evidence) in zip(parts, read, strict=True):
            if part.judged:
                verdict = triage.judge_part(part.text, signs, self.brain.lexicon)
                verdicts[part.number] = verdicts[part.number].beside(verdict)
            if evidence and evidence.topics and self._confidence(evidence) >= ANSWER:
                id, share = evidence.topics[0]
                asked[part.number].setdefault(id, Match(id, round(share, 4), evidence.phrase))
        return verdicts, asked

    def _parts_of(self, number: int, text: Normalised, evidence: Evidence) -> list["_Part"]:
        """Those of one message that are looked at by themselves."""
        sentences = scope.clauses(text.raw) if evidence.danger >= HINT else []
        questions = scope.questions(text.raw)
        if len(questions) == 1 and self._confidence(evidence) >= SURE:
            questions = []  # it is what the whole was taken for
        pieces = dict.fromkeys([*sentences, *questions])
        return [_Part(number, text.part(piece), piece in sentences, piece in questions) for piece in pieces]

    def _confidence(self, evidence: Evidence) -> float:
        confidence = self.brain.confidence.of(evidence.measures())
        return max(confidence, evidence.nearest) if evidence.nearest >= VERBATIM else confidence

    def _normalise(self, text: str, hint: str | None) -> Normalised:
        if text.isascii() and not self._looks_english(text):
            text = from_english_layout(text) or text
        normalised = normalise(text, hint)
        if normalised.language in ("ja", "zh") and hint not in ("ja", "zh") and normalised.only_han:
            japanese = self.brain.han.is_japanese(normalised.raw)
            return normalised.in_language("ja" if japanese else "zh")
        if hint and normalised.language == "en" != hint and not self._looks_english(normalised.text):
            return normalised.in_language(hint)  # who writes romaji or pinyin reads their own language
        return normalised

    def _looks_english(self, text: str) -> bool:
        tokens = words(text.casefold())
        return sum(token in self.brain.speller.usage.words for token in tokens) * 2 >= len(tokens)

    def _routine(
        self, text: Normalised, evidence: Evidence, matches: tuple[Match, ...], verdict: triage.Verdict
    ) -> Understanding:
        confidence = self._confidence(evidence)
        why = (
            *verdict.why,
            f"confidence {confidence:.2f}",
            f"nearest: {evidence.phrase} ({evidence.nearest:.2f})",
            *(f"{a} -> {b}" for a, b in evidence.corrected),
        )

        def result(
            outcome: str,
            urgency: Urgency = "routine",
            small_talk: str | None = None,
            service: str | None = None,
        ) -> Understanding:
            return Understanding(
                text.raw, text.language, outcome, urgency, None, matches, small_talk, cast(Service | None, service),  # type: ignore[arg-type]
                text.traditional, why,
            )  # fmt: skip

        if text.is_empty:
            return result("unknown")
        urgency = self.faq.entries[matches[0].id].urgency if matches else "routine"
        said = self._said(evidence.mended)
        if said.startswith("~") and not verdict.wary:
            return result("smalltalk", small_talk=said[1:])
        exact = said[1:] if said.startswith("@") else ""
        service = (exact, 1.0) if exact else _best(evidence.services)
        if service and service[1] >= SERVICE and (exact or not verdict.wary):
            if service[0] in ("change_language", "help", "source") or not matches:
                return result("smalltalk", service=service[0], small_talk="hello")
            return result("answer", urgency, service=service[0])
        talk = _best(evidence.small_talk)
        if talk and not verdict.wary and _is_small_talk(talk[0], evidence):
            return result("smalltalk", small_talk=talk[0])
        threshold = self._threshold(matches)
        wary = (
            verdict.wary
            and evidence.nearest < VERBATIM
            and URGENCIES.index(urgency) < URGENCIES.index("urgent")
        )
        if confidence >= threshold and not wary:
            return result("answer", urgency)
        if confidence >= CHOICES or verdict.wary:
            return result("choices", urgency)
        return result("unknown")

    def _threshold(self, matches: tuple[Match, ...]) -> float:
        own = self.faq.entries[matches[0].id].threshold if matches else None
        return ANSWER if own is None else own


def _is_small_talk(key: str, evidence: Evidence) -> bool:
    share, of_topic = sum(evidence.small_talk.values()), evidence.topics[0][1] if evidence.topics else 0.0
    return share >= (max(LESS, of_topic) if key in OF_MANY_WAYS else SMALL_TALK)


def _best(shares: dict[str, float]) -> tuple[str, float] | None:
    if not shares:
        return None
    name = max(shares, key=shares.__getitem__)
    return name, shares[name]
