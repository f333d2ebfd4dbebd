"""What is learned from the library, and its cache: the same library gives the same brain, so it is trained once."""

import hashlib
import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from intents import features, lexicon, model, scope, text, vectors
from intents.confidence import Confidence
from intents.features import extract, words
from intents.lexicon import Lexicon
from intents.library import OUT_OF_SCOPE, Library
from intents.library import version as library_version
from intents.match import Evidence, PhraseIndex, rank
from intents.model import Model, Progress, quiet
from intents.script import HanScript
from intents.spelling import Speller
from intents.text import fold
from intents.vectors import Vectoriser

FEATURES = 240_000  # kept after training
ALARM_COUNTS = 4  # how much more a feature's weight for danger counts when features are chosen
TRIAL_EPOCHS = 2  # enough to see how often the model is right
HELD_OUT = 5  # one line in five tells how sure to be; it is trained on afterwards
FORMAT = 5


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
    def train(library: Library, progress: Progress = quiet, words_of: Lexicon | None = None) -> "Brain":
        """Learn from every line; about 15 seconds for 40,000 lines on one core."""
        words_of = words_of or Lexicon.load()
        folded = [fold(line.text) for line in library.lines]
        extracted = []
        for i, item in enumerate(folded):
            extracted.append(extract(item, words_of.find))
            if i % 2000 == 0:
                progress("reading phrasings", i / len(folded))
        labels = [line.label for line in library.lines]
        target = {label: i for i, label in enumerate(library.labels)}
        y = np.array([target[label] for label in labels])

        vectoriser, matrix = Vectoriser.fit(extracted, labels)
        trained_on = np.array([_fold_of(item) != 0 for item in folded])
        trial = model.train(
            matrix[trained_on], y[trained_on], len(target), progress, "learning how sure to be", TRIAL_EPOCHS
        )
        confidence = _calibrate(matrix, trial, labels, trained_on, library, vectoriser, extracted)
        weights = model.train(matrix, y, len(target), progress, "learning the phrasings")
        dangers = np.array([label.startswith("!") for label in labels], np.int64)
        alarm = model.train(matrix, dangers, 2, progress, "learning the danger signs")
        kept = _telling(weights, alarm)
        vectoriser, matrix = vectoriser.only(kept), _unit_rows(matrix[:, kept])
        ranked = Model(
            library.labels, vectoriser, weights[kept].astype(np.float16), alarm[kept, 1] - alarm[kept, 0]
        )
        order = sorted(range(len(labels)), key=labels.__getitem__)
        index = PhraseIndex.of(
            matrix[order], [library.lines[i].text for i in order], [labels[i] for i in order]
        )
        english = (item for item, line in zip(folded, library.lines, strict=True) if line.language == "en")
        counts = Counter(word for item in english for word in words(item))
        return Brain(ranked, index, confidence, dict(counts), HanScript.fit(library), words_of)

    def speller(self) -> Speller:
        return Speller(self.counts.items())


def _telling(weights: vectors.Floats, alarm: vectors.Floats) -> vectors.Ints:
    """The columns that say most, in order; the rest cost memory and change next to nothing."""
    say = np.abs(weights).max(1) + ALARM_COUNTS * np.abs(alarm).max(1)
    return np.sort(np.argsort(-say, kind="stable")[:FEATURES]).astype(np.int32)


def _unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.maximum(lengths, 1e-6)).astype(np.float32) @ matrix)


def _fold_of(item: str) -> int:
    return hashlib.sha256(item.encode()).digest()[0] % HELD_OUT


def _calibrate(
    matrix: sp.csr_matrix,
    trial: vectors.Floats,
    labels: list[str],
    kept: np.ndarray[Any, np.dtype[np.bool_]],
    library: Library,
    vectoriser: Vectoriser,
    extracted: list[features.Features],
) -> Confidence:
    """Confidence fitted on the lines that the trial model has not seen."""
    half = Model(library.labels, vectoriser, trial.astype(np.float16), np.zeros(len(trial), np.float32))
    train_rows = sorted(np.flatnonzero(kept).tolist(), key=labels.__getitem__)
    index = PhraseIndex.of(
        matrix[train_rows], [library.lines[i].text for i in train_rows], [labels[i] for i in train_rows]
    )
    measures, right = [], []
    for i in np.flatnonzero(~kept).tolist():
        if labels[i].startswith("!"):
            continue
        columns, values, known = vectoriser.vector(extracted[i])
        dense = np.zeros(vectoriser.width, np.float32)
        dense[columns] = values
        shares = dict(zip(library.labels, half.probabilities(columns, values).tolist(), strict=True))
        evidence: Evidence = rank(shares, partial(index.likeness, dense), None, known)
        measures.append(evidence.measures())
        right.append(
            float(bool(evidence.topics) and evidence.topics[0][0] == labels[i] and labels[i] != OUT_OF_SCOPE)
        )
    if not measures:
        return Confidence((0.0,) * 10)
    return Confidence.fit(np.array(measures), np.array(right))


# --- the cache


def load_or_train(
    library: Library | None = None, cache: Path | None = None, progress: Progress = quiet
) -> Brain:
    """The brain for `library` (None: the shipped one): from `cache` (a folder) when it was trained before, else trained.

    A cache that cannot be read or written is no error: training again is only slower.
    """
    version = library.version if library else library_version()
    path = cache / f"brain-{_version(version)}.npz" if cache else None
    if path and path.exists():
        try:
            return _read(path)
        except (OSError, ValueError, KeyError):
            progress("the cached model cannot be read; training again", 0.0)
    brain = Brain.train(library or Library.load(), progress)
    if path:
        _write(brain, path)
    return brain


def _version(library: str) -> str:
    """Changes with the library and with the code that learns from it."""
    digest = hashlib.sha256(f"{FORMAT} {library}".encode())
    for module in (features, lexicon, model, scope, text, vectors):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes() + lexicon.version())
    return digest.hexdigest()[:16]


def _pack(lines: list[str]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer("\n".join(lines).encode(), np.uint8)


def _unpack(data: np.ndarray[Any, np.dtype[np.uint8]]) -> list[str]:
    return data.tobytes().decode().split("\n")


def _write(brain: Brain, path: Path) -> None:
    meta = {
        "labels": brain.model.labels,
        "rarest": brain.model.vectoriser.rarest,
        "spans": brain.phrases.spans,
        "confidence": brain.confidence.weights,
        "counts": brain.counts,
        "han": brain.han.leaning,
        "concepts": brain.lexicon.concepts,
        "markers": brain.lexicon.markers,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            np.savez(
                file,
                weights=brain.model.weights,
                alarm=brain.model.alarm,
                features=_pack(list(brain.model.vectoriser.index)),
                feature_weights=brain.model.vectoriser.weights,
                data=brain.phrases.matrix.data,
                indices=brain.phrases.matrix.indices,
                indptr=brain.phrases.matrix.indptr,
                texts=_pack(brain.phrases.texts),
                meta=_pack([json.dumps(meta, ensure_ascii=False)]),
            )
        os.replace(file.name, path)  # whole or not at all, also when two processes start together
        for old in path.parent.glob("brain-*.npz"):
            if old != path:
                old.unlink(missing_ok=True)
    except OSError:
        Path(file.name).unlink(missing_ok=True) if "file" in locals() else None


def _read(path: Path) -> Brain:
    with np.load(path, allow_pickle=False) as stored:
        meta = json.loads(_unpack(stored["meta"])[0])
        index = {key: i for i, key in enumerate(_unpack(stored["features"]))}
        vectoriser = Vectoriser(index, stored["feature_weights"], meta["rarest"])
        ranked = Model(tuple(meta["labels"]), vectoriser, stored["weights"], stored["alarm"])
        texts = _unpack(stored["texts"])
        matrix = sp.csr_matrix(
            (stored["data"], stored["indices"], stored["indptr"]), shape=(len(texts), len(index))
        )
    spans = {label: (start, end) for label, (start, end) in meta["spans"].items()}
    phrases = PhraseIndex(matrix, texts, spans)
    words_of = Lexicon.of(meta["concepts"], {kind: tuple(forms) for kind, forms in meta["markers"].items()})
    confidence = Confidence(tuple(meta["confidence"]))
    return Brain(ranked, phrases, confidence, meta["counts"], HanScript(meta["han"]), words_of)
