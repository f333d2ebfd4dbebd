"""Questions that the FAQ did not answer: like ones together, those that most patients asked first, and what a new phrasing would do."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.store.figures import Question
from intents.diff import Change, Probe, changes
from intents.faq import Entry, Faq
from intents.features import extract
from intents.text import fold
from intents.understand import Understander
from intents.vectors import Reading

ALIKE = 0.5  # cosine from which two questions count as one; by eye on the labelled out-of-scope lines
TOUCHED = (
    0.3  # well below the likeness from which a phrasing of staff says anything (intents.match.STAFF_FLOOR)
)
SUGGESTED = 3


@dataclass(frozen=True)
class Group:
    """Questions that mean about the same, newest first. `suggested` are the entries they came nearest to, best first."""

    questions: tuple[Question, ...]
    suggested: tuple[str, ...]

    @property
    def language(self) -> str:
        return self.questions[0].language

    @property
    def text(self) -> str:
        """The wording that stands for the group: the commonest, the newest of those."""
        counts = Counter(question.text for question in self.questions)
        return max(counts, key=lambda text: counts[text])

    @property
    def patients(self) -> int:
        """How many patients asked; those who are not known count as one."""
        return len({question.patient_id for question in self.questions})

    @property
    def last_at(self) -> dt.datetime:
        return max(question.at for question in self.questions)

    @property
    def ids(self) -> list[int]:
        return [question.id for question in self.questions]


def group(questions: Sequence[Question], understander: Understander) -> list[Group]:
    """Groups of like questions in one language, those that most patients asked first, then the newest."""
    newest = sorted(questions, key=lambda question: question.at, reverse=True)
    groups: list[Group] = []
    for language in dict.fromkeys(question.language for question in newest):
        own = [question for question in newest if question.language == language]
        groups += _alike(own, understander)
    return sorted(
        groups, key=lambda found: (found.patients, len(found.questions), found.last_at), reverse=True
    )


def _alike(questions: list[Question], understander: Understander) -> list[Group]:
    """Each question joins the first group whose newest question it resembles, else it begins one."""
    reading = Reading.of(extract(fold(question.text)) for question in questions)
    matrix = understander.matcher.vectoriser.extended(reading).matrix(reading)
    likeness = (matrix @ matrix.T).tocsr()
    leader: dict[int, list[int]] = {}
    for i in range(len(questions)):
        row = likeness.getrow(i)
        near = dict(zip(row.indices.tolist(), row.data.tolist(), strict=True))
        best = max(leader, key=lambda head: near.get(head, 0.0), default=None)
        if best is not None and near.get(best, 0.0) >= ALIKE:
            leader[best].append(i)
        else:
            leader[i] = [i]
    return [_group([questions[i] for i in members]) for members in leader.values()]


def _group(questions: list[Question]) -> Group:
    votes: Counter[str] = Counter()
    for question in questions:
        for rank, id in enumerate(question.matches[:SUGGESTED]):
            votes[id] += SUGGESTED - rank
    return Group(tuple(questions), tuple(id for id, _ in votes.most_common(SUGGESTED)))


# --- what a phrasing would do


def with_question(faq: Faq, entry_id: str, language: str, question: str) -> Faq:
    """`faq` as it would be with one more phrasing; nothing is written."""
    entries = []
    for entry in faq.file.entries:
        if entry.id == entry_id:
            texts = _questions(entry)
            texts[language] = [*texts.get(language, []), question]
            entry = entry.model_copy(update={"questions": texts})
        entries.append(entry)
    return Faq(faq.file.model_copy(update={"entries": entries}), f"{faq.version}+", faq.places)


def _questions(entry: Entry) -> dict[str, list[str]]:
    return {str(code): texts for code, texts in entry.questions.items()}


def effect(
    understander: Understander,
    entry_id: str,
    language: str,
    question: str,
    past: Iterable[Question] = (),
    labelled: Iterable[Probe] = (),
) -> list[Change]:
    """What would change for patients if `question` were a phrasing of the entry, what gets worse first.

    Tried are the question itself, and what resembles it of the file's own questions in that language, of past questions
    and of labelled ones: a phrasing says nothing about the others. About a second.
    """
    after = understander.with_faq(with_question(understander.faq, entry_id, language, question))
    probes = _probes(understander.faq, entry_id, language, question, past, labelled)
    return changes(understander, after, _touched(probes, question, after))


def _touched(probes: list[Probe], question: str, understander: Understander) -> list[Probe]:
    vectoriser = understander.matcher.vectoriser
    wanted, matrix = (
        vectoriser.matrix(Reading.of(extract(fold(text)) for text in texts))
        for texts in ([question], [probe.text for probe in probes])
    )
    likeness = (matrix @ wanted.T).toarray()[:, 0]
    return [probe for probe, near in zip(probes, likeness, strict=True) if near >= TOUCHED]


def _probes(
    faq: Faq, entry_id: str, language: str, question: str, past: Iterable[Question], labelled: Iterable[Probe]
) -> list[Probe]:
    asked = [Probe(question, language, frozenset([entry_id]), None, "this question")]
    own = [
        Probe(text, language, frozenset([entry.id]), None, entry.id)
        for entry in faq.file.entries
        for text in _questions(entry).get(language, [])
    ]
    before = [Probe(q.text, q.language) for q in past if q.language == language and q.text != question]
    return list(dict.fromkeys([*asked, *before, *own, *labelled]))
