"""A library of few lines: its softmax solved exactly, and how sure to be when nothing was set apart to learn it from."""

import numpy as np
import pytest

from intents.brain import Brain
from intents.calibrate import left_out_together
from intents.exact import RIDGE, ExactTrainer, kinship
from intents.features import read
from intents.library import Library, Line
from intents.model import softmax
from intents.spelling import Speller, Usage
from intents.text import fold
from intents.vectors import Vectoriser

TOPICS = {
    "wine": ["can i drink wine tonight", "is a glass of wine ok", "when may i drink wine again", "wine with dinner"],
    "beer": ["can i drink beer tonight", "is a glass of beer ok", "when may i drink beer again", "beer with dinner"],
    "sauna": ["may i go to the sauna", "is the hot sauna allowed", "sauna this weekend please", "hot sauna soon"],
    "bath": ["may i go into a hot bath", "is the hot bath allowed", "bath this weekend please", "hot bath soon"],
    "price": ["what does it cost", "how much does one thread cost", "the price please", "cost of both cheeks"],
    "fees": ["what are the fees", "how much are the fees for one", "the fees please", "fees of both cheeks"],
    "scar": ["will i have a scar", "does it leave a scar behind", "scar near my ear", "my scar is red"],
    "marks": ["will i have marks", "does it leave marks behind", "marks near my ear", "my marks are red"],
    "book": ["book a visit", "i want to book on monday", "book me in for june", "book the doctor"],
    "move": ["move a visit", "i want to move from monday", "move me to june", "move the doctor"],
}  # fmt: skip


def library() -> Library:
    lines = tuple(Line(text, topic, "en") for topic, texts in TOPICS.items() for text in texts)
    return Library(lines, "few", tuple(sorted(TOPICS)))


def trained(rows: list[int]) -> tuple[ExactTrainer, np.ndarray, np.ndarray]:
    """(trainer, the dense lines it saw, their labels)."""
    lines = library().lines
    labels = [line.label for line in lines]
    _, matrix, _ = Vectoriser.fit(read([fold(line.text) for line in lines]), labels)
    targets = np.array([sorted(TOPICS).index(label) for label in labels])
    trainer = ExactTrainer(matrix, targets, (targets == 0).astype(np.float32), len(TOPICS))
    trainer.run(np.array(rows))
    return trainer, matrix[rows].toarray(), targets[rows]


def test_no_change_of_the_weights_of_few_lines_would_be_better() -> None:
    trainer, lines, targets = trained(list(range(40)))
    prior = kinship(lines @ lines.T, targets, len(TOPICS))

    error = softmax(lines @ trainer.weights)
    error[np.arange(40), targets] -= 1
    slope = lines.T @ error @ prior + RIDGE * trainer.weights
    untaught = lines.T @ (np.full((40, 10), 0.1) - np.eye(10)[targets]) @ prior
    assert np.abs(slope).max() < 0.005 < np.abs(untaught).max()


def test_labels_that_resemble_each_other_learn_together() -> None:
    _, lines, targets = trained(list(range(40)))
    prior = kinship(lines @ lines.T, targets, len(TOPICS))

    for a, b in (("wine", "beer"), ("price", "fees"), ("scar", "marks"), ("book", "move")):
        others = np.delete(prior[sorted(TOPICS).index(a)], sorted(TOPICS).index(a))
        assert prior[sorted(TOPICS).index(a), sorted(TOPICS).index(b)] == others.max() > 0
    assert np.abs(prior.sum(0)).max() < 1e-5
    assert np.linalg.eigvalsh(prior).min() > -1e-5


def test_a_label_without_lines_is_kin_to_none() -> None:
    _, lines, targets = trained(list(range(36)))
    prior = kinship(lines @ lines.T, targets, len(TOPICS))
    empty = [i for i in range(len(TOPICS)) if i not in targets]

    assert empty
    assert np.isfinite(prior).all()
    assert np.delete(prior[empty], empty, axis=1).max() < 0


def test_what_reports_danger_is_told_from_what_does_not() -> None:
    trainer, lines, targets = trained(list(range(40)))

    opinion = lines @ trainer.alarm
    assert opinion[targets == 0].min() > opinion[targets != 0].max()


def test_few_lines_give_the_same_weights_each_time_and_only_those_of_the_last_run() -> None:
    trainer, lines, targets = trained(list(range(40)))
    trainer.run(np.arange(20))
    fewer, _, _ = trained(list(range(20)))

    assert np.array_equal(trainer.weights, fewer.weights)
    assert np.array_equal(trainer.alarm, fewer.alarm)
    assert ((lines[:20] @ fewer.weights).argmax(1) == targets[:20]).all()


def test_topics_that_resemble_each_other_are_left_out_together() -> None:
    lines = library().lines
    _, matrix, _ = Vectoriser.fit(read([fold(line.text) for line in lines]), [line.label for line in lines])

    groups = left_out_together(library(), matrix)
    pairs = [{topic for topic, group in groups.items() if group == number} for number in range(5)]
    assert {"wine", "beer"} in pairs
    assert {"price", "fees"} in pairs
    assert {len(pair) for pair in pairs} == {2}


def test_a_question_about_something_else_is_answered_less_surely() -> None:
    few = Brain.train(library())

    def sure(text: str) -> float:
        return few.confidence.of(few.evidence(fold(text)).measures())

    assert sure("may i drink wine") > sure("may i walk my dachshund") + 0.1
    assert sure("is a scar left") > sure("what rhymes with elephant") + 0.1


@pytest.mark.parametrize(
    ("text", "share"),
    [("smile pain", 0.0), ("smiel pain", 0.5), ("zibble zabble", 1.0), ("pain 38.5", 0.0), ("", 0.0)],
)
def test_words_that_nobody_typed_so_are_counted(text: str, share: float) -> None:
    assert Speller(Usage({"smile": 3, "pain": 5}, {})).read(text)[2] == share
