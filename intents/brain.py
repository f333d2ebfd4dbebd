"""What is learned from the library, and its cache: the same library gives the same brain, so it is trained once."""

import contextlib
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sp

from intents import calibrate, lexicon
from intents.confidence import Confidence
from intents.evidence import Evidence, Labels, rank
from intents.exact import FEW, ExactTrainer
from intents.features import Numbers, read
from intents.lexicon import Lexicon
from intents.library import Library
from intents.library import version as library_version
from intents.likeness import PhraseIndex, Questions
from intents.model import Model, Trainer, quiet
from intents.reading import WORTH_IT, Progress, Readers
from intents.script import HanScript
from intents.spelling import Speller, Usage
from intents.text import bare, fold
from intents.texts import Texts
from intents.vectors import LARGE, HashIndex, Vectoriser

EPOCHS = 1, 1  # without the lines held out, then with all; more gains nothing on unseen questions
EPOCHS_OF_FEW = 8, 4
ENOUGH = 0.1  # by how much a line of many may be missed and is not gone over again
HELD_OUT = 22  # one line in so many tells how sure to be; it is learned afterwards
FORMAT = 8
HERE = Path(__file__).parent
LEARNING = (  # the modules that what is learned depends on
    "brain", "calibrate", "confidence", "evidence", "exact", "features", "lexicon", "likeness", "model", "reading", "scope", "slips",
    "script", "spelling", "text", "texts", "vectors",
)  # fmt: skip


@dataclass
class Brain:
    """The trained parts; never changed once built."""

    model: Model
    phrases: PhraseIndex
    confidence: Confidence
    speller: Speller  # of the library's words alone
    verbatim: dict[str, str]  # bare line -> what it is word for word, ~small talk or @service
    han: HanScript
    lexicon: Lexicon
    version: str  # of what it was learned from

    @staticmethod
    def train(
        library: Library,
        progress: Progress = quiet,
        readers: Readers | None = None,
        confidence: Confidence | None = None,
    ) -> "Brain":
        """Learn from every line; 16 to 20 s for 118,000 lines on two cores. `readers` are started here unless they are given,
        `confidence` is learned unless it is given."""
        with readers or Readers(len(library.lines)) as reading_them:
            folded, reading = reading_them.read([line.text for line in library.lines], progress)
            words_of = reading_them.lexicon
        labels = [line.label for line in library.lines]
        target = {label: i for i, label in enumerate(library.labels)}
        y = np.array([target[label] for label in labels])
        groups = np.unique([line.language for line in library.lines], return_inverse=True)[1]

        vectoriser, matrix, known = Vectoriser.fit(reading, labels)
        del reading  # the largest of all
        dangers = np.array([label.startswith("!") for label in labels], np.float32)
        held_out = np.array([_fold_of(item) == 0 for item in folded])
        first, second = EPOCHS if len(labels) >= LARGE else EPOCHS_OF_FEW
        trainer = _trainer(matrix, y, dangers, groups, len(target))
        with ThreadPoolExecutor(1) as beside:  # numpy leaves a core to it
            speller = beside.submit(_speller, library, folded)
            gists = beside.submit(vectoriser.gist_of, matrix)
            han = beside.submit(HanScript.fit, library)
            if isinstance(trainer, Trainer):
                trainer.run(np.flatnonzero(~held_out), first, progress, "learning the phrasings")
                confidence = confidence or calibrate.held_out(
                    library, folded, speller.result(), gists.result(), known, trainer, ~held_out
                )
            elif confidence is None:  # few lines are learned by other brains, to see how sure to be
                confidence = calibrate.cross_fitted(library, matrix, partial(_look, words_of))
            trainer.run(np.arange(len(labels)), second, progress, "learning the rest of them")
        ranked = Model.of(library.labels, vectoriser, trainer.blocks, trainer.alarm)
        order = sorted(range(len(labels)), key=labels.__getitem__)
        texts = [library.lines[i].text for i in order]
        index = PhraseIndex.of(gists.result()[order], texts, [labels[i] for i in order])
        verbatim = _unmistakable(folded, labels)
        return Brain(
            ranked, index, confidence, speller.result(), verbatim, han.result(), words_of, library.version
        )

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self.model.labels)

    def evidence(self, folded: str) -> Evidence:
        """What folded text resembles by the library alone, without the staff's questions."""
        vectoriser = self.model.vectoriser
        mended, _, slips = self.speller.read(folded)
        columns, values, known = vectoriser.vector(read([mended], self.lexicon.find))
        nearest = partial(self.phrases.nearest, vectoriser.gist_vector(columns, values))
        opinion = self.model.opinion(columns, values)

        def support(label: str) -> float:
            return opinion.support(self._labels.number[label])

        return rank(opinion.shares, self._labels, nearest, support, known, slips=slips)


def _trainer(
    matrix: sp.csr_matrix, y: Numbers, dangers: Numbers, groups: Numbers, labels: int
) -> Trainer | ExactTrainer:
    """The one for so many lines."""
    lines = matrix.shape[0]
    if lines <= FEW:
        return ExactTrainer(matrix, y, dangers, labels)
    many = lines >= LARGE
    return Trainer(
        matrix, y, dangers, groups, labels,
        epochs=sum(EPOCHS if many else EPOCHS_OF_FEW), enough=ENOUGH if many else 0.0,
    )  # fmt: skip


def _look(words_of: Lexicon, library: Library) -> calibrate.Look:
    return Brain.train(library, readers=Readers(0, words_of), confidence=calibrate.UNSURE).evidence


def _speller(library: Library, folded: Sequence[str]) -> Speller:
    english = (item for item, line in zip(folded, library.lines, strict=True) if line.language == "en")
    return Speller(Usage.of(english))


def _unmistakable(folded: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """The words of service, which are obeyed, and those of small talk that stand under no other label; and their label.

    What reports a danger too is neither.
    """
    meanings: dict[str, set[str]] = {}
    for item, label in zip(folded, labels, strict=True):
        meanings.setdefault(bare(item), set()).add(label)
    meanings.pop("", None)
    found: dict[str, str] = {}
    for item, all_of_it in meanings.items():
        first = max(all_of_it, key=lambda label: ("@!".find(label[0]), label))
        if first[0] == "@" or (first[0] == "~" and len(all_of_it) == 1):
            found[item] = first
    return found


def _fold_of(item: str) -> int:
    return hashlib.sha256(item.encode()).digest()[0] % HELD_OUT


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
    with Readers(len(library.lines) if library else WORTH_IT) as readers:
        brain = Brain.train(library or Library.load(), progress, readers)
    if path:
        with contextlib.suppress(OSError):
            _write(brain, path)
    return brain


def remembered(brain: Brain, cache: Path, texts: list[str]) -> Questions:
    """The staff's questions read, from `cache` when this very list was read before."""
    path = cache / f"questions-{_version(chr(10).join([brain.version, *texts]))}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, BadZipFile):
        stored = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        words = stored["words"].tobytes().decode().split()
        parts = stored["data"], stored["indices"], stored["indptr"]
        shape = len(texts), int(stored["width"])
        return Questions(frozenset(words), stored["extra"], sp.csr_matrix(parts, shape=shape))
    read = Questions.of([fold(text) for text in texts], brain.lexicon, brain.model.vectoriser)
    with contextlib.suppress(OSError):
        _remember(read, path)
    return read


def _remember(read: Questions, path: Path) -> None:
    for old in path.parent.glob("questions-*"):
        old.unlink(missing_ok=True)
    gists = read.gists
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        np.savez(
            file, words=np.frombuffer(" ".join(sorted(read.words)).encode(), np.uint8), extra=read.extra, width=gists.shape[1],
            data=gists.data, indices=gists.indices, indptr=gists.indptr,
        )  # fmt: skip
    Path(file.name).rename(path)


def _version(library: str) -> str:
    """Changes with the library and with the code that learns from it."""
    digest = hashlib.sha256(f"{FORMAT} {library}".encode())
    for name in LEARNING:
        digest.update((HERE / f"{name}.py").read_bytes())
    digest.update(lexicon.version())
    return digest.hexdigest()[:16]


def _write(brain: Brain, path: Path) -> None:
    """Raises OSError. Whole or not at all, also when two processes start together."""
    meta = {
        "version": brain.version,
        "labels": brain.model.labels,
        "rarest": brain.model.vectoriser.rarest,
        "spans": brain.phrases.spans,
        "confidence": brain.confidence.weights,
        "words": brain.speller.usage.words,
        "pairs": brain.speller.usage.pairs,
        "verbatim": brain.verbatim,
        "han": brain.han.leaning,
        "concepts": brain.lexicon.concepts,
        "markers": brain.lexicon.markers,
        "lengths": brain.lexicon.lengths,
    }
    texts = Texts.of(brain.phrases.texts)
    arrays = {
        "weights": brain.model.weights,
        "scales": brain.model.scales,
        "alarm": brain.model.alarm,
        "index": brain.model.vectoriser.index.hashes,
        "feature_weights": brain.model.vectoriser.weights,
        "gist": brain.model.vectoriser.gist,
        "data": brain.phrases.matrix.data,
        "indices": brain.phrases.matrix.indices,
        "indptr": brain.phrases.matrix.indptr,
        "texts": texts.letters,
        "texts_ends": texts.ends,
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

    vectoriser = Vectoriser(
        HashIndex(array("index")), array("feature_weights"), array("gist"), meta["rarest"]
    )
    ranked = Model(tuple(meta["labels"]), vectoriser, array("weights"), array("scales"), array("alarm"))
    spans = {label: (start, end) for label, (start, end) in meta["spans"].items()}
    texts = Texts(array("texts"), array("texts_ends"))
    matrix = sp.csr_matrix((len(texts), vectoriser.gist_width), dtype=np.float32)
    matrix.data, matrix.indices, matrix.indptr = array("data"), array("indices"), array("indptr")
    phrases = PhraseIndex(matrix, texts, spans)
    words_of = Lexicon.of(meta["concepts"], meta["markers"], meta["lengths"])
    confidence = Confidence(tuple(meta["confidence"]))
    speller, han = Speller(Usage(meta["words"], meta["pairs"])), HanScript(meta["han"])
    return Brain(ranked, phrases, confidence, speller, meta["verbatim"], han, words_of, meta["version"])
