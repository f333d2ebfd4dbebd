"""Text + Faq -> ranked labels with calibrated confidence.

Three kinds of evidence: the model's probabilities (learned from the library), the staff's own questions in faq.yaml (which
outweigh, and work the moment the file is saved), and the nearest known phrasing (which also explains the result).
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from intents.evidence import Evidence, Labels, SignEvidence, danger_of, rank
from intents.faq import Faq
from intents.features import Features, extract
from intents.lexicon import Lexicon
from intents.likeness import PhraseIndex, Questions, StaffIndex
from intents.model import Model
from intents.reading import Reading
from intents.spelling import Changes, Speller
from intents.text import Normalised, fold
from intents.vectors import Floats, Ints


class Matcher:
    """Ranks one text. Cheap to rebuild for a new Faq; the trained parts are shared."""

    def __init__(
        self,
        model: Model,
        speller: Speller,
        lexicon: Lexicon,
        library: PhraseIndex,
        faq: Faq,
        read: Callable[[list[str]], Questions] | None = None,
    ) -> None:
        """`speller` is the library's. `read` reads the staff's questions, if it is known already how (see brain.remembered)."""
        self.model, self.lexicon, self.library = model, lexicon, library
        ordered = sorted(_questions(faq))
        labels, texts = [label for label, _ in ordered], [text for _, text in ordered]
        questions = read(texts) if read else Questions.of([fold(t) for t in texts], lexicon, model.vectoriser)
        self.speller = speller.knowing(questions.words)
        self.vectoriser = model.vectoriser.extended(questions.extra)
        staff = PhraseIndex.of(questions.gists, texts, labels)
        new = [name for name in staff.spans if name not in model.labels]
        self.labels = Labels([*model.labels, *new], faq.entries)
        self.staff = StaffIndex(staff, self.labels.number)

    def features(self, text: Normalised) -> tuple[Features, Changes, float]:
        """(the features of the text, what was mended in it, the share of its words that nobody typed so)."""
        mended, changes, slips = self.speller.read(text.text)
        return extract(mended, self.lexicon.find), changes, slips

    def evidence(self, text: Normalised) -> Evidence:
        """All that the message resembles."""
        features, corrected, slips = self.features(text)
        columns, values, known = self.vectoriser.vector(features)
        gist = self.vectoriser.gist_vector(columns, values)
        cosines = self.staff.cosines(gist)

        def nearest(label: str) -> tuple[float, str]:
            return max(self.library.nearest(gist, label), self.staff.nearest(cosines, label))

        shares = self._boosted(self._learned(columns, values), cosines)
        alarming = self.model.alarming(columns, values)
        return rank(shares, self.labels, nearest, known, corrected, alarming, slips)

    def signs(self, texts: Sequence[Normalised]) -> list[SignEvidence]:
        """What each part of a message says of danger, by the model alone; read together, for most of the work is one."""
        reading = Reading.of(extract(self.speller.mend(text.text)[0], self.lexicon.find) for text in texts)
        matrix, known = self.vectoriser.matrix(reading), self.vectoriser.known(reading)
        ends = zip(matrix.indptr, matrix.indptr[1:], known, strict=False)
        return [self._sign(matrix.indices[a:b], matrix.data[a:b], float(share)) for a, b, share in ends]

    def _sign(self, columns: Ints, values: Floats, known: float) -> SignEvidence:
        alarming = self.model.alarming(columns, values)
        return danger_of(self.model.probabilities(columns, values), self.labels, known, alarming)

    def _boosted(self, shares: Floats, cosines: Floats) -> Floats:
        """Probability of each label, the staff's questions weighed in."""
        labels, boosts = self.staff.boosts(cosines)
        if not len(labels):
            return shares
        floor = np.where(boosts > 1, np.float32(1e-4), np.float32(0))
        shares[labels] = np.maximum(shares[labels], floor) * np.exp(boosts)
        result: Floats = shares / shares.sum()
        return result

    def _learned(self, columns: Ints, values: Floats) -> Floats:
        """Probability of each label by what was learned; of labels that only staff have, the least."""
        learned = self.model.probabilities(columns, values)
        new = np.full(len(self.labels.names) - len(learned), learned.min(), np.float32)
        return np.concatenate([learned, new])


def _questions(faq: Faq) -> Iterator[tuple[str, str]]:
    """(label, question) of all that staff wrote."""
    for entry in faq.file.entries:
        yield from ((entry.id, text) for texts in entry.questions.values() for text in texts)
    for flag in faq.file.red_flags:
        yield from ((f"!{flag.id}", text) for texts in (flag.examples or {}).values() for text in texts)
