"""Questions that the FAQ did not answer: like ones together, those that most patients asked first, and what a new phrasing would do."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.store.figures import Question
from intents.diff import Change, Probe, changes
from intents.faq import Entry, Faq
from intents.features import read
from intents.text import fold
from intents.understand import Understander

ALIKE = 0.4  # cosine from which two questions count as one; by eye on the labelled out-of-scope lines
TOUCHED = (
    0.3  # well below the likeness from which a phrasing of staff says anything (intents.likeness.STAFF_FLOOR)
)
SUGGESTED = 3
THIS = "this question"  # origin of the phrasings that are to be added


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

    @property
    def wordings(self) -> list[str]:
        """Each wording once, the one that stands for the group first."""
        return list(dict.fromkeys([self.text, *(question.text for question in self.questions)]))

    @property
    def replies(self) -> list[str]:
        """What people answered, newest first: raw material for an answer."""
        return list(dict.fromkeys(question.reply for question in self.questions if question.reply))


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
    reading = read([fold(question.text) for question in questions])
    known = understander.brain.model.vectoriser
    matrix = known.extended(known.unknown(reading)).matrix(reading)
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
    return [_group([questions[i] for i in members], understander) for members in leader.values()]


def _group(questions: list[Question], understander: Understander) -> Group:
    votes: Counter[str] = Counter()
    for question in questions:
        for rank, id in enumerate(question.matches[:SUGGESTED]):
            votes[id] += SUGGESTED - rank
    if not votes:  # a person answered, and nobody has asked the FAQ yet
        nearest = understander.understand(questions[0].text, questions[0].language).matches
        votes.update({match.id: SUGGESTED - rank for rank, match in enumerate(nearest[:SUGGESTED])})
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
    """What would change for patients if `question` were a phrasing of the entry, what gets worse first."""
    after = understander.with_faq(with_question(understander.faq, entry_id, language, question))
    return effect_of(understander, after, entry_id, {language: [question]}, past, labelled)


def effect_of(
    before: Understander,
    after: Understander,
    entry_id: str,
    added: Mapping[str, Sequence[str]],
    past: Iterable[Question] = (),
    labelled: Iterable[Probe] = (),
) -> list[Change]:
    """The same for the phrasings `added` (by language) of an entry that may be new.

    Tried are the phrasings themselves, and what resembles them of the file's own questions in their languages, of past
    questions and of labelled ones: a phrasing says nothing about the others. About a second.
    """
    past, labelled = list(past), list(labelled)
    probes: dict[Probe, None] = {}
    for language, texts in added.items():
        if texts:
            own = _probes(before.faq, entry_id, language, texts, past, labelled)
            probes |= dict.fromkeys(_touched(own, texts, after))
    return changes(before, after, probes)


def _touched(probes: list[Probe], added: Sequence[str], understander: Understander) -> list[Probe]:
    vectoriser = understander.matcher.vectoriser
    wanted, matrix = (
        vectoriser.gist_of(vectoriser.matrix(read([fold(text) for text in texts])))
        for texts in (added, [probe.text for probe in probes])
    )
    likeness = (matrix @ wanted.T).toarray().max(axis=1)
    return [probe for probe, near in zip(probes, likeness, strict=True) if near >= TOUCHED]


def _probes(
    faq: Faq,
    entry_id: str,
    language: str,
    added: Sequence[str],
    past: Iterable[Question],
    labelled: Iterable[Probe],
) -> list[Probe]:
    asked = [Probe(text, language, frozenset([entry_id]), None, THIS) for text in added]
    own = [
        Probe(text, language, frozenset([entry.id]), None, entry.id)
        for entry in faq.file.entries
        for text in _questions(entry).get(language, [])
    ]
    before = [Probe(q.text, q.language) for q in past if q.language == language and q.text not in added]
    return list(dict.fromkeys([*asked, *before, *own, *labelled]))
