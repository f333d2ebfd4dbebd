"""What is learned from the library, and its cache: the same library gives the same brain, so it is trained once."""

import contextlib
import hashlib
import json
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from intents import exact, features, lexicon, model, scope, spelling, text, vectors
from intents.confidence import Confidence
from intents.exact import FEW, ExactTrainer
from intents.features import extract, words
from intents.lexicon import Lexicon
from intents.library import OUT_OF_SCOPE, Library
from intents.library import version as library_version
from intents.match import Evidence, Labels, PhraseIndex, rank
from intents.model import Model, Progress, Trainer, quiet
from intents.script import HanScript
from intents.spelling import Speller
from intents.text import fold
from intents.vectors import LARGE, Reading, Vectoriser

EPOCHS = 2, 1  # without the lines held out, then with all; more gains next to nothing on unseen questions
EPOCHS_OF_FEW = 8, 4
HELD_OUT = 15  # one line in so many tells how sure to be; it is learned afterwards
FOLDS = 5  # of a library of few lines
UNSURE = Confidence((0.0,) * 11)
FORMAT = 7


@dataclass
class Brain:
    """The trained parts; never changed once built."""

    model: Model
    phrases: PhraseIndex
    confidence: Confidence
    counts: dict[str, int]
    han: HanScript
    lexicon: Lexicon

    @staticmethod
    def train(
        library: Library,
        progress: Progress = quiet,
        words_of: Lexicon | None = None,
        confidence: Confidence | None = None,
    ) -> "Brain":
        """Learn from every line; 45 seconds for 73,000 lines on two slow cores. `confidence` is learned unless it is given."""
        words_of = words_of or Lexicon.load()
        folded = [fold(line.text) for line in library.lines]
        english = (item for item, line in zip(folded, library.lines, strict=True) if line.language == "en")
        counts = Counter(word for item in english for word in words(item))
        reading = Reading.of(_extract_all(folded, words_of, Speller(counts), progress))
        labels = [line.label for line in library.lines]
        target = {label: i for i, label in enumerate(library.labels)}
        y = np.array([target[label] for label in labels])
        groups = np.unique([line.language for line in library.lines], return_inverse=True)[1]

        vectoriser, matrix = Vectoriser.fit(reading, labels)
        dangers = np.array([label.startswith("!") for label in labels], np.float32)
        held_out = np.array([_fold_of(item) == 0 for item in folded])
        first, second = EPOCHS if len(labels) >= LARGE else EPOCHS_OF_FEW
        trainer: Trainer | ExactTrainer = (
            ExactTrainer(matrix, y, dangers, len(target))
            if len(labels) <= FEW
            else Trainer(matrix, y, dangers, groups, len(target), first + second)
        )
        trainer.run(np.flatnonzero(~held_out), first, progress, "learning the phrasings")
        if confidence is None and len(labels) > FEW:
            known = vectoriser.known(reading)
            slips = partial(_slips, folded, Speller(counts))
            confidence = _calibrate(
                matrix, slips, trainer.weights, labels, ~held_out, library, vectoriser, known
            )
        elif confidence is None:
            confidence = _cross_fitted(library, matrix, words_of)
        trainer.run(np.arange(len(labels)), second, progress, "learning the rest of them")
        weights, alarm = trainer.weights.astype(np.float16), trainer.alarm
        ranked = Model(library.labels, vectoriser, weights, alarm)
        order = sorted(range(len(labels)), key=labels.__getitem__)
        index = PhraseIndex.of(
            vectoriser.gist_of(matrix[order]),
            [library.lines[i].text for i in order],
            [labels[i] for i in order],
        )
        return Brain(ranked, index, confidence, dict(counts), HanScript.fit(library), words_of)

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self.model.labels)

    @cached_property
    def _speller(self) -> Speller:
        return Speller(self.counts)

    def evidence(self, folded: str) -> Evidence:
        """What folded text resembles by the library alone, without the staff's questions."""
        found = extract(folded, self.lexicon.find, self._speller.mend)
        columns, values, known = self.model.vectoriser.vector(found)
        nearest = partial(self.phrases.likeness, self.model.vectoriser.dense_gist(columns, values))
        shares = self.model.probabilities(columns, values)
        return rank(shares, self._labels, nearest, known, slips=self._speller.slips(words(folded)))


def _extract_all(
    folded: list[str], words_of: Lexicon, speller: Speller, progress: Progress
) -> Iterator[features.Features]:
    for i, item in enumerate(folded):
        yield extract(item, words_of.find, speller.mend)
        if i % 2000 == 0:
            progress("reading phrasings", i / len(folded))


def _slips(folded: Sequence[str], speller: Speller, line: int) -> float:
    return speller.slips(words(folded[line]))


def _fold_of(item: str) -> int:
    return hashlib.sha256(item.encode()).digest()[0] % HELD_OUT


def _calibrate(
    matrix: sp.csr_matrix,
    slips: Callable[[int], float],
    trial: vectors.Floats,
    labels: list[str],
    kept: np.ndarray[Any, np.dtype[np.bool_]],
    library: Library,
    vectoriser: Vectoriser,
    known: vectors.Numbers,
) -> Confidence:
    """Confidence fitted on the lines that the trial model has not seen."""
    half = Model(library.labels, vectoriser, trial.astype(np.float16), np.zeros(len(trial), np.float32))
    kinds = Labels(library.labels)
    train_rows = sorted(np.flatnonzero(kept).tolist(), key=labels.__getitem__)
    index = PhraseIndex.of(
        vectoriser.gist_of(matrix[train_rows]),
        [library.lines[i].text for i in train_rows],
        [labels[i] for i in train_rows],
    )
    measures, right = [], []
    for i in np.flatnonzero(~kept).tolist():
        if labels[i].startswith("!"):
            continue
        row = slice(matrix.indptr[i], matrix.indptr[i + 1])
        columns, values = matrix.indices[row], matrix.data[row]
        dense = vectoriser.dense_gist(columns, values)
        evidence = rank(
            half.probabilities(columns, values),
            kinds,
            partial(index.likeness, dense),
            float(known[i]),
            slips=slips(i),
        )
        measures.append(evidence.measures())
        right.append(
            float(bool(evidence.topics) and evidence.topics[0][0] == labels[i] and labels[i] != OUT_OF_SCOPE)
        )
    if not measures:
        return UNSURE
    return Confidence.fit(np.array(measures), np.array(right))


def _cross_fitted(library: Library, matrix: sp.csr_matrix, words_of: Lexicon) -> Confidence:
    """Confidence for few lines, each looked at by a brain that was trained without it.

    A fifth of the lines is left out each time, and all lines of a fifth of the topics, which resemble each other: these are
    questions about something else, and what tells them is that their words are new too.
    """
    groups = left_out_together(library, matrix)
    measures, right = [], []
    for number in range(FOLDS):
        outside = {label for label, group in groups.items() if group == number}
        left = [line.label in outside or i % FOLDS == number for i, line in enumerate(library.lines)]
        rest = tuple(line for line, out in zip(library.lines, left, strict=True) if not out)
        if not rest:
            continue
        labels = tuple(sorted({line.label for line in rest}))
        trial = Brain.train(Library(rest, "rest", labels), words_of=words_of, confidence=UNSURE)
        for line in (
            line for line, out in zip(library.lines, left, strict=True) if out and line.label[0] != "!"
        ):
            evidence = trial.evidence(fold(line.text))
            measures.append(evidence.measures())
            right.append(bool(evidence.topics) and evidence.topics[0][0] == line.label != OUT_OF_SCOPE)
    return Confidence.fit(np.array(measures), np.array(right, float)) if measures else UNSURE


def left_out_together(library: Library, matrix: sp.csr_matrix) -> dict[str, int]:
    """The number of the group that each topic is in: the topics most alike, FOLDS groups of about the same size."""
    topics = [label for label in library.labels if label[0] not in "!~@" and label != OUT_OF_SCOPE]
    rows = [[i for i, line in enumerate(library.lines) if line.label == topic] for topic in topics]
    middles = np.array([np.asarray(matrix[own].mean(axis=0))[0] for own in rows])
    alike = middles @ middles.T
    alike /= np.sqrt(np.outer(alike.diagonal(), alike.diagonal()))
    groups: dict[str, int] = {}
    free = list(range(len(topics)))
    while free:
        members = [free.pop(0)]
        while free and len(members) < math.ceil(len(topics) / FOLDS):
            members.append(free.pop(int(alike[members][:, free].mean(axis=0).argmax())))
        groups |= dict.fromkeys((topics[i] for i in members), len(set(groups.values())))
    return groups


# --- the cache: a folder with a file an array, mapped into memory so that a start reads only what messages touch


def load_or_train(
    library: Library | None = None, cache: Path | None = None, progress: Progress = quiet
) -> Brain:
    """The brain for `library` (None: the shipped one): from `cache` (a folder) when it was trained before, else trained.

    A cache that cannot be read or written is no error: training again is only slower.
    """
    path = cache / f"brain-{_version(library.version if library else library_version())}" if cache else None
    if path and path.exists():
        try:
            return _read(path)
        except (OSError, ValueError, KeyError):
            progress("the cached model cannot be read; training again", 0.0)
            shutil.rmtree(path, ignore_errors=True)
    brain = Brain.train(library or Library.load(), progress)
    if path:
        with contextlib.suppress(OSError):
            _write(brain, path)
    return brain


def remembered(folded: list[str], lexicon: Lexicon, cache: Path) -> vectors.Reading:
    """The features of the staff's questions, from `cache` when this very list was read before."""
    path = cache / f"questions-{_version(chr(10).join(folded))}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError), np.load(path, allow_pickle=False) as stored:
        return Reading(stored["hashes"], stored["cells"], len(folded))
    reading = Reading.of(extract(text, lexicon.find) for text in folded)
    with contextlib.suppress(OSError):
        for old in cache.glob("questions-*"):
            old.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache, suffix=".tmp", delete=False) as file:
            np.savez(file, hashes=reading.hashes, cells=reading.cells)
        Path(file.name).rename(path)
    return reading


def _version(library: str) -> str:
    """Changes with the library and with the code that learns from it."""
    digest = hashlib.sha256(f"{FORMAT} {library}".encode())
    for module in (exact, features, lexicon, model, scope, spelling, text, vectors):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes() + lexicon.version())
    return digest.hexdigest()[:16]


def _write(brain: Brain, path: Path) -> None:
    """Raises OSError. Whole or not at all, also when two processes start together."""
    meta = {
        "labels": brain.model.labels,
        "rarest": brain.model.vectoriser.rarest,
        "spans": brain.phrases.spans,
        "confidence": brain.confidence.weights,
        "counts": brain.counts,
        "han": brain.han.leaning,
        "concepts": brain.lexicon.concepts,
        "markers": brain.lexicon.markers,
        "texts": brain.phrases.texts,
    }
    arrays = {
        "weights": brain.model.weights,
        "alarm": brain.model.alarm,
        "index": brain.model.vectoriser.index,
        "feature_weights": brain.model.vectoriser.weights,
        "gist": brain.model.vectoriser.gist,
        "data": brain.phrases.matrix.data,
        "indices": brain.phrases.matrix.indices,
        "indptr": brain.phrases.matrix.indptr,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix="new-"))
    try:
        for name, array in arrays.items():
            np.save(fresh / f"{name}.npy", array)
        (fresh / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")
        fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    for old in path.parent.glob("brain-*"):
        if old.is_dir() and old != path:
            shutil.rmtree(old, ignore_errors=True)


def _read(path: Path) -> Brain:
    """Raises OSError, ValueError or KeyError where the folder is not what `_write` made."""
    meta = json.loads((path / "meta.json").read_bytes())

    def array(name: str) -> Any:
        return np.asarray(np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False))

    vectoriser = Vectoriser(array("index"), array("feature_weights"), array("gist"), meta["rarest"])
    ranked = Model(tuple(meta["labels"]), vectoriser, array("weights"), array("alarm"))
    spans = {label: (start, end) for label, (start, end) in meta["spans"].items()}
    matrix = sp.csr_matrix((len(meta["texts"]), vectoriser.gist_width), dtype=np.float32)
    matrix.data, matrix.indices, matrix.indptr = array("data"), array("indices"), array("indptr")
    phrases = PhraseIndex(matrix, meta["texts"], spans)
    words_of = Lexicon.of(meta["concepts"], meta["markers"])
    confidence = Confidence(tuple(meta["confidence"]))
    return Brain(ranked, phrases, confidence, meta["counts"], HanScript(meta["han"]), words_of)
