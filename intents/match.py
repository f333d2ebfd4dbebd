"""Text + Faq -> ranked labels with calibrated confidence.

Three kinds of evidence: the model's probabilities (learned from the library), the staff's own questions in faq.yaml (which
outweigh, and work the moment the file is saved), and the nearest known phrasing (which also explains the result).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from intents.evidence import Evidence, Labels, SignEvidence, danger_of, rank
from intents.faq import Faq
from intents.features import read
from intents.lexicon import Lexicon
from intents.likeness import PhraseIndex, Questions, StaffIndex
from intents.model import Model, Opinion
from intents.spelling import Changes, Speller
from intents.text import Normalised, fold
from intents.vectors import Floats, Vector

Part = tuple[SignEvidence, Evidence | None]


class Matcher:
    """Ranks texts. Cheap to rebuild for a new Faq; the trained parts are shared."""

    def __init__(
        self,
        model: Model,
        speller: Speller,
        lexicon: Lexicon,
        library: PhraseIndex,
        faq: Faq,
        remembered: Callable[[list[str]], Questions] | None = None,
    ) -> None:
        """`speller` is the library's. `remembered` reads the staff's questions where they may have been read before (see brain)."""
        self.model, self.lexicon, self.library = model, lexicon, library
        ordered = sorted(_questions(faq))
        labels, texts = [label for label, _ in ordered], [text for _, text in ordered]
        questions = (
            remembered(texts) if remembered else Questions.of([*map(fold, texts)], lexicon, model.vectoriser)
        )
        self.speller = speller.knowing(questions.words)
        self.vectoriser = model.vectoriser.extended(questions.extra)
        staff = PhraseIndex.of(questions.gists, texts, labels)
        new = [name for name in staff.spans if name not in model.labels]
        self.labels = Labels([*model.labels, *new], faq.entries)
        self.staff = StaffIndex(staff, self.labels.number)

    def evidence(self, texts: Sequence[Normalised]) -> list[Evidence]:
        """All that each message resembles; of several together, for most of the work is one."""
        read_as = [self.speller.read(text.text) for text in texts]
        vectors = self.vectoriser.each(read([mended for mended, _, _ in read_as], self.lexicon.find))
        return [self._evidence(vector, *as_meant) for vector, as_meant in zip(vectors, read_as, strict=True)]

    def parts(self, texts: Sequence[Normalised], asks: Sequence[bool]) -> list[Part]:
        """What each part of messages says of danger, by the model alone; and all that it resembles where it `asks`."""
        read_as = [self.speller.read(text.text) for text in texts]
        vectors = self.vectoriser.each(read([mended for mended, _, _ in read_as], self.lexicon.find))
        found = []
        for vector, as_meant, asking in zip(vectors, read_as, asks, strict=True):
            columns, values, known = vector
            opinion = self.model.opinion(columns, values)
            signs = danger_of(opinion.shares, self.labels, known, opinion.alarming)
            evidence = self._ranked(vector, opinion, *as_meant) if asking else None
            found.append((replace(signs, mended=as_meant[0]), evidence))
        return found

    def _evidence(self, vector: Vector, mended: str, corrected: Changes, slips: float) -> Evidence:
        return self._ranked(vector, self.model.opinion(*vector[:2]), mended, corrected, slips)

    def _ranked(
        self, vector: Vector, opinion: Opinion, mended: str, corrected: Changes, slips: float
    ) -> Evidence:
        columns, values, known = vector
        gist = self.vectoriser.gist_vector(columns, values)
        cosines = self.staff.cosines(gist)

        def nearest(label: str) -> tuple[float, str]:
            return max(self.library.nearest(gist, label), self.staff.nearest(cosines, label))

        def support(label: str) -> float:
            """Nothing was learned of a topic that only staff have; what they asked themselves speaks for it."""
            learned = opinion.support(self.labels.number[label])
            return max(learned, self.staff.nearest(cosines, label)[0])

        shares = self._boosted(self._extended(opinion.shares), cosines)
        return rank(shares, self.labels, nearest, support, known, corrected, opinion.alarming, slips, mended)

    def _boosted(self, shares: Floats, cosines: Floats) -> Floats:
        """Probability of each label, the staff's questions weighed in."""
        labels, boosts = self.staff.boosts(cosines)
        if not len(labels):
            return shares
        floor = np.where(boosts > 1, np.float32(1e-4), np.float32(0))
        shares = shares.copy()
        shares[labels] = np.maximum(shares[labels], floor) * np.exp(boosts)
        result: Floats = shares / shares.sum()
        return result

    def _extended(self, learned: Floats) -> Floats:
        """With the labels that only staff have: of these nothing was learned, which is the least."""
        new = len(self.labels.names) - len(learned)
        return np.append(learned, np.full(new, learned.min())) if new else learned


def _questions(faq: Faq) -> Iterator[tuple[str, str]]:
    """(label, question) of all that staff wrote."""
    for entry in faq.file.entries:
        yield from ((entry.id, text) for texts in entry.questions.values() for text in texts)
    for flag in faq.file.red_flags:
        yield from ((f"!{flag.id}", text) for texts in (flag.examples or {}).values() for text in texts)
