"""Understanding measured: accuracy and speed beside what one would use instead, start-up, memory, typing slips, growth.

usage: python -m benchmarks.understanding [--short]   (without the growth)

Every figure comes from one run on one machine, rivals included, because machines are noisy. Public question sets are read from
the folder in SMILELINE_PUBLIC_SETS (clinc150.jsonl, massive_ja.jsonl ...); they are not part of the project.
"""

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

from intents.brain import Brain
from intents.evaluate import Labelled, evaluate, read_labelled
from intents.faq import Faq, load
from intents.library import Library, Line
from intents.slips import BESIDE_KEYS
from intents.text import fold
from intents.understand import Understander

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "data" / "cache"
LANGUAGES = ("en", "ja", "ko", "zh")
SEEDS = 5  # how often each text is mistyped: one time alone is off by a point


def labelled(language: str) -> list[Labelled]:
    path = ROOT / "tests" / "eval" / f"{language}.jsonl"
    return read_labelled(path.read_text(encoding="utf-8").splitlines(), path.name)


def milliseconds(function: Callable[[str], object], texts: list[str]) -> tuple[float, float]:
    """(p50, p99) of one call."""
    times = []
    for text in texts:
        started = time.perf_counter()
        function(text)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)]


def table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def by_language(understander: Understander) -> None:
    print("\naccuracy on the labelled questions (%), none of which is in the library")
    rows = [["", *LANGUAGES]]
    reports = {language: evaluate(labelled(language), understander.understand)[0] for language in LANGUAGES}
    rows += [
        [name, *(f"{reports[lang].figures[name].percent:.1f}" for lang in LANGUAGES)]
        for name in reports["en"].figures
    ]
    table(rows)


def rivals(understander: Understander, faq: Faq) -> None:
    """Top-1 on topic questions and time a message: plain WRatio and a linear SVM on the same phrasings, in this run."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    print("\nbeside what one would use instead, on the same phrasings: top-1 (%), p50 ms")
    rows = [["", *LANGUAGES]]
    faq_only, wratio, svm, ours = (
        ["WRatio over faq.yaml"],
        ["WRatio over the library"],
        ["TF-IDF + linear SVM"],
        ["smileline"],
    )
    for language in LANGUAGES:
        lines = [
            line for line in Library.load().lines if line.language == language and line.label in faq.entries
        ]
        questions = [(q, e.id) for e in faq.file.entries for q in e.questions[language]]  # type: ignore[index]
        tests = [row for row in labelled(language) if row.kind == "topic" and not row.red_flag]
        words = make_union(
            TfidfVectorizer(analyzer="word"), TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4))
        )
        machine = make_pipeline(words, LinearSVC(C=1.0)).fit(
            [line.text for line in lines], [line.label for line in lines]
        )
        texts, labels = [line.text for line in lines], [line.label for line in lines]

        def nearest(text: str, texts: list[str], labels: list[str]) -> str:
            return labels[process.extractOne(text, texts, scorer=fuzz.WRatio)[2]]

        candidates: list[tuple[list[str], Callable[[str], str]]] = [
            (faq_only, lambda t, q=questions: nearest(t, [a for a, _ in q], [b for _, b in q])),
            (wratio, lambda t, a=texts, b=labels: nearest(t, a, b)),
            (svm, lambda t, m=machine: str(m.predict([t])[0])),
            (ours, lambda t: understander.understand(t).matches[0].id),
        ]
        for cells, guess in candidates:
            sample = tests if cells is not wratio else tests[:120]
            hits = sum(guess(row.text) in row.right for row in sample)
            p50, _ = milliseconds(guess, [row.text for row in sample[:100]])
            cells.append(f"{100 * hits / len(sample):.1f}  {p50:.2f} ms")
    table([*rows, faq_only, wratio, svm, ours])


def speed(understander: Understander) -> None:
    texts = [row.text for language in LANGUAGES for row in labelled(language)]
    random.Random(0).shuffle(texts)
    p50, p99 = milliseconds(understander.understand, texts)
    started = time.perf_counter()
    for text in texts:
        understander.understand(text)
    total = time.perf_counter() - started
    print(
        f"\none message, all four languages loaded: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {len(texts) / total:.0f} a second on one core"
    )


def mistyped(understander: Understander) -> None:
    """Top-1 with one edit for every 10 characters, and how much that costs: any letters, and (English) what fingers do."""
    print(f"\nmistyped, one edit for every 10 characters, mean of {SEEDS}: top-1 (%) clean, mistyped, loss")
    for language, edit in (*((language, slip) for language in LANGUAGES), ("en", finger_slip)):
        rows = [row for row in labelled(language) if row.kind == "topic" and not row.red_flag]
        alphabet = sorted({c for row in rows for c in row.text if c.isalpha()})

        def first(texts: list[str], rows: list[Labelled] = rows) -> float:
            hits = (
                understander.understand(text).matches[0].id in row.right
                for text, row in zip(texts, rows, strict=True)
            )
            return 100 * sum(hits) / len(rows)

        clean = first([row.text for row in rows])
        typed = statistics.mean(
            first([edit(row.text, alphabet, rng) for row in rows])
            for rng in map(random.Random, range(1, SEEDS + 1))
        )
        name = (
            language
            if edit is slip
            else f"{language}, keys beside, letters swapped, lost, doubled, spaces lost"
        )
        print(f"  {name}  {clean:.1f}  {typed:.1f}  {clean - typed:.1f}")


def slip(text: str, alphabet: list[str], rng: random.Random) -> str:
    letters = list(text)
    for _ in range(max(1, len(text) // 10)):
        at = rng.randrange(len(letters)) if letters else 0
        match rng.randrange(4):
            case 0 if letters:
                del letters[at]
            case 1:
                letters.insert(at, rng.choice(alphabet))
            case 2 if letters:
                letters[at] = rng.choice(alphabet)
            case _ if at + 1 < len(letters):
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters) or text


def finger_slip(text: str, _alphabet: list[str], rng: random.Random) -> str:
    """As fingers slip on a keyboard: a key beside the right one, a letter lost, doubled or swapped, a space lost."""
    letters = list(text)
    for _ in range(max(1, len(text) // 10)):
        at = rng.randrange(len(letters))
        beside = sorted(pair[1] for pair in BESIDE_KEYS if pair[0] == letters[at].lower())
        spaces = [i for i, letter in enumerate(letters) if letter == " "]
        match rng.choices(("beside", "lost", "doubled", "swapped", "space"), (4, 3, 1, 2, 1))[0]:
            case "beside" if beside:
                letters[at] = rng.choice(beside)
            case "lost" if len(letters) > 1 and letters[at].isalpha():
                del letters[at]
            case "doubled" if letters[at].isalpha():
                letters.insert(at, letters[at])
            case "swapped" if at + 1 < len(letters):
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            case "space" if spaces:
                del letters[rng.choice(spaces)]
    return "".join(letters)


START = """
import resource, sys, time
t = time.perf_counter()
from pathlib import Path
from intents.faq import load
from intents.understand import Understander
imported = time.perf_counter()
u = Understander.build(load(Path("faq.yaml").read_bytes()), Path(sys.argv[1]))
u.understand("hello")
print(time.perf_counter() - imported, imported - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def start_up() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first start (training)", "later start (cached)"):
            done = subprocess.run(
                [sys.executable, "-c", START, folder], capture_output=True, text=True, cwd=ROOT, check=True
            )
            seconds, imports, megabytes = map(float, done.stdout.split())
            print(f"{name}: {seconds:.2f} s (and {imports:.2f} s of imports), peak memory {megabytes:.0f} MB")


def reload_time(understander: Understander, text: str) -> None:
    changed = text.replace(
        "    questions:\n      en:\n",
        '    questions:\n      en:\n        - "zorbification hour zibble zabble"\n',
        1,
    )
    started = time.perf_counter()
    fresh = understander.with_faq(load(changed))
    found = fresh.understand("zorbification hour zibble zabble").matches[0].id
    print(
        f"\na phrasing that staff add is live {time.perf_counter() - started:.2f} s after it is read ({found})"
    )


def growth(understander: Understander) -> None:
    """The library grown tenfold with synthetic lines (each line's words shuffled with another's of its label)."""
    rng = random.Random(2)
    lines = [line for line in Library.load().lines if line.language == "en"]
    by_label: dict[str, list[Line]] = {}
    for line in lines:
        by_label.setdefault(line.label, []).append(line)
    grown = list(lines)
    for line in lines * 9:
        other = rng.choice(by_label[line.label])
        tokens = line.text.split() + other.text.split()
        grown.append(Line(" ".join(rng.sample(tokens, k=max(2, len(tokens) // 2))), line.label, "en"))
    texts = [row.text for row in labelled("en")]
    for name, chosen in (("English library", lines), ("ten times as large", grown)):
        library = Library(tuple(dict.fromkeys(chosen)), name, tuple(sorted({line.label for line in chosen})))
        built = Understander.build(understander.faq, None, library=library)
        p50, p99 = milliseconds(built.understand, texts)
        print(f"{name}: {len(library.lines)} lines, p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def public_sets() -> None:
    """The public sets by their protocol: 10 examples a label, top-1 and top-3 in scope, AUROC of refusal."""
    folder = os.environ.get("SMILELINE_PUBLIC_SETS")
    if not folder:
        print("\npublic sets: set SMILELINE_PUBLIC_SETS to their folder")
        return
    print("\npublic sets, 10 examples a label: top-1, top-3 (%), AUROC of refusal, p50 ms")
    for path in sorted(Path(folder).glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        lines = tuple(
            Line(r["text"], r["label"], r["lang"])
            for r in rows
            if r["split"] == "example" and r["label"] != "oos"
        )
        tests = [r for r in rows if r["split"] == "test"]
        print(f"  {path.stem}: {public(lines, tests)}")


def public(lines: tuple[Line, ...], tests: list[dict[str, str]]) -> str:
    library = Library(tuple(dict.fromkeys(lines)), "public", tuple(sorted({line.label for line in lines})))
    brain = Brain.train(library)

    def ranked(text: str) -> tuple[list[str], float]:
        evidence = brain.evidence(fold(text))
        return [id for id, _ in evidence.topics], brain.confidence.of(evidence.measures())

    results = [(row, *ranked(row["text"])) for row in tests]
    scope = [(row["label"], ids) for row, ids, _ in results if row["label"] != "oos"]
    first = sum(ids[:1] == [label] for label, ids in scope) / len(scope)
    three = sum(label in ids[:3] for label, ids in scope) / len(scope)
    inside = [sure for row, _, sure in results if row["label"] != "oos"]
    outside = [sure for row, _, sure in results if row["label"] == "oos"]
    p50, _ = milliseconds(ranked, [row["text"] for row in tests[:300]])
    refusal = f"AUROC {100 * auroc(inside, outside):.1f}" if outside else "-"
    return f"{100 * first:.1f}, {100 * three:.1f}, {refusal}, {p50:.2f} ms"


def auroc(inside: list[float], outside: list[float]) -> float:
    both = np.array(inside + outside)
    ranks = both.argsort().argsort()[: len(inside)]
    return float((ranks.sum() - len(inside) * (len(inside) - 1) / 2) / (len(inside) * len(outside)))


def main() -> None:
    text = (ROOT / "faq.yaml").read_text(encoding="utf-8")
    faq = load(text)
    start_up()
    understander = Understander.build(faq, CACHE)
    by_language(understander)
    speed(understander)
    mistyped(understander)
    reload_time(understander, text)
    rivals(understander, faq)
    if "--short" not in sys.argv:  # ten times the library trains for minutes
        growth(understander)
    public_sets()
    print(f"\npeak memory of this run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
