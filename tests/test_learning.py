"""The parts that understanding is made of: words, features as numbers, training, the cache."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from intents import brain, scope
from intents import reading as reading_module
from intents.evidence import Evidence
from intents.features import BLOCKS, Reading, read
from intents.lexicon import FOLDER, Lexicon, _written
from intents.library import Library, Line
from intents.model import LEANING, Trainer
from intents.text import Normalised, fold
from intents.understand import Understander
from intents.vectors import AT_ONCE, FAINT, HashIndex, Vectoriser
from tests.helpers import understander as shipped


def lexicon() -> Lexicon:
    concepts = {"drink": "alcohol", "glassof wine": "alcohol", "한잔": "alcohol", "38度": "fever_word"}
    return Lexicon.of(concepts, {"zh": {"past": ("过",)}, "ja": {"past": ("昔",)}})


@cache
def shipped_lexicon() -> Lexicon:
    return Lexicon.load()


@pytest.mark.parametrize(
    ("text", "found"), [("한 잔 해도", ["alcohol"]), ("38 度", ["fever_word"]), ("a drink", ["alcohol"])]
)
def test_words_are_found_however_they_are_spaced(text: str, found: list[str]) -> None:
    assert lexicon().find(fold(text)) == found


def test_the_shipped_words_that_hold_a_space_are_found() -> None:
    spaced = shipped_lexicon()

    assert spaced.find(fold("눈이 안 감겨요")) == spaced.find(fold("눈이안감겨요")) != []


def words_of(path: Path) -> dict[str, str]:
    """Each word of a file of the lexicon as it is looked up, and its concept."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))["concepts"]
    return {_written(fold(word)): concept for concept, words in data.items() for word in words}


def test_a_word_of_everyday_life_stands_for_one_thing_and_hides_no_other() -> None:
    everyday: dict[str, str] = {}
    for path in sorted(FOLDER.glob("everyday/*.yaml")):
        for word, concept in words_of(path).items():
            assert everyday.setdefault(word, concept) == concept, word
    others = {word for path in FOLDER.glob("*.yaml") for word in words_of(path)}

    assert len(everyday) > 10_000
    assert everyday.keys() & others == set()
    assert [word for word in everyday if len(word) == 1 and not word.isascii()] == []


def test_a_marker_of_one_language_is_no_marker_in_another() -> None:
    assert lexicon().marks("喘不过气", "zh") == {"past"}
    assert lexicon().marks("食べ过ぎ", "ja") == frozenset()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Can I fly? My eye went dark.", ["Can I fly?", "My eye went dark."]),
        ("费用多少，顺便说一下我喉咙肿", ["费用多少", "顺便说一下我喉咙肿"]),
        ("お酒いい？あと、熱がある", ["お酒いい？", "あと、熱がある"]),
        ("one sentence, two halves", []),
    ],
)
def test_a_message_is_taken_apart_at_sentences_and_by_the_way(text: str, parts: list[str]) -> None:
    assert scope.parts(text) == parts


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("throat a bit tight, can I eat soup", ["throat a bit tight", "can I eat soup"]),
        ("熱っぽいんですけど、お酒飲んでいいですか", ["熱っぽいんですけど", "お酒飲んでいいですか"]),
        ("열이 나는데 운동해도 돼요?", ["열이 나는데", "운동해도 돼요?"]),
        ("一只胳膊没劲抬不起来 能上班吗", ["一只胳膊没劲抬不起来", "能上班吗"]),
        ("my cheek is sore, red and tight", []),
    ],
)
def test_a_remark_stands_by_itself_beside_its_question(text: str, clauses: list[str]) -> None:
    assert scope.clauses(text) == clauses


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        (
            "How much is a second session? Also one cheek has blown up hard and hot since this morning",
            "rapid_swelling",
        ),
        ("예약 변경하고 싶어요. 그리고 지금 한쪽 눈이 갑자기 안 보여요", "vision"),
    ],
)
def test_a_danger_behind_a_routine_question_is_seen(text: str, sign: str) -> None:
    meaning = shipped().understand(text)

    assert (meaning.outcome, meaning.red_flag) == ("danger", sign)


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "no",
        "not at all",
        "it doesn't hurt",
        "same as yesterday",
        "なし",
        "よくなりました",
        "없음",
        "비슷해요",
        "不痛",
        "跟昨天一样",
    ],
)
def test_a_bare_answer_alarms_nobody(text: str) -> None:
    assert shipped().understand(text).outcome != "danger"


TEXTS = ["hot bath tonight", "glass of wine tonight", "얼굴이 부었어요", "顔が腫れた", "脸肿了"]


def reading(texts: list[str]) -> Reading:
    return read([fold(text) for text in texts])


def test_many_texts_at_once_give_the_vectors_of_each() -> None:
    vectoriser, matrix, _ = Vectoriser.fit(reading(TEXTS), ["a", "b", "c", "c", "c"])

    for row, text in enumerate(TEXTS):
        columns, values, known = vectoriser.vector(read([fold(text)]))
        dense = np.zeros(vectoriser.width, np.float32)
        dense[columns] = values
        assert np.allclose(dense, matrix[row].toarray()[0], atol=1e-6)
        assert known == 1.0
    known = [share for _, _, share in vectoriser.each(reading([*TEXTS, "glass of zzz"]))]
    assert known == pytest.approx([1, 1, 1, 1, 1, 2 / 3])


def test_a_foreign_word_speaks_for_its_share_of_a_text() -> None:
    texts = ["音楽をかけてほしい botox", "botox"]
    vectoriser, matrix, _ = Vectoriser.fit(read(texts), ["a", "b"])

    mixed, alone = matrix.toarray()
    assert 0.05 < (mixed[alone > 0] ** 2).sum() < 0.35
    for text, row in zip(texts, (mixed, alone), strict=True):
        columns, values, _ = vectoriser.vector(read([text]))
        assert np.allclose(values, row[columns], atol=1e-6)


def test_in_a_small_library_runs_of_three_characters_count_for_less() -> None:
    one, _, _ = Vectoriser.fit(reading(["顔が腫れた", "雨が降った"]), ["a", "b"])
    text = reading(["顔が腫れた"])

    def weights(block: str) -> set[float]:
        columns, _, _ = one.vector(only(text, block))
        return set(one.weights[columns].tolist())

    assert weights("cjk3").isdisjoint(weights("cjk"))
    assert max(weights("cjk3")) == pytest.approx(FAINT * max(weights("cjk")))


def only(reading: Reading, block: str) -> Reading:
    kept = reading.cells == BLOCKS.index(block)
    return Reading(reading.hashes[kept], np.array([kept.sum()]))


def test_the_same_lines_train_the_same_weights() -> None:
    _, matrix, _ = Vectoriser.fit(reading(TEXTS), ["a", "b", "c", "c", "c"])
    trained = []
    for _ in range(2):
        trainer = Trainer(
            matrix, np.array([0, 1, 2, 2, 2]), np.array([0.0, 0, 1, 1, 1]), np.array([0, 0, 1, 2, 3]), 3, 4
        )
        trainer.run(np.arange(5), 4)
        trained.append((trainer.weights, trainer.alarm))

    assert np.array_equal(trained[0][0], trained[1][0])
    assert np.array_equal(trained[0][1], trained[1][1])
    assert ((matrix @ trained[0][0]).argmax(1) == [0, 1, 2, 2, 2]).all()
    assert ((matrix @ trained[0][1] > 0) == [False, False, True, True, True]).all()


def small_library() -> Library:
    rows = [
        (f"{word} question {n}", word)
        for word in ("wine", "sauna", "bruise")
        for n in ("now", "later", "tonight", "today")
    ]
    rows += [(f"blood pours out {n}", "!heavy_bleeding") for n in ("now", "again", "fast")]
    lines = tuple(Line(text, label, "en") for text, label in rows)
    return Library(lines, "small", tuple(sorted({line.label for line in lines})))


def test_what_was_trained_is_read_back_as_it_was(tmp_path: Path) -> None:
    trained = brain.load_or_train(small_library(), tmp_path)
    read = brain.load_or_train(small_library(), tmp_path, _no_training)

    assert np.array_equal(trained.model.weights, read.model.weights)
    assert np.array_equal(trained.model.vectoriser.index.hashes, read.model.vectoriser.index.hashes)
    assert (trained.phrases.matrix != read.phrases.matrix).nnz == 0
    assert trained.confidence == read.confidence


def test_only_what_can_be_nothing_else_is_taken_word_for_word() -> None:
    told = [
        ("so what?", "~follow_up"), ("So what!", "~follow_up"), ("hurts", "~follow_up"), ("hurts", "wine"),
        ("help me", "@person"), ("help me", "!heavy_bleeding"), ("my data", "@my_data"), ("my data", "wine"),
    ]  # fmt: skip
    lines = (*small_library().lines, *(Line(text, label, "en") for text, label in told))
    trained = brain.Brain.train(Library(lines, "told", tuple(sorted({line.label for line in lines}))))

    assert trained.verbatim == {"so what": "~follow_up", "my data": "@my_data"}


def _no_training(what: str, _share: float) -> None:
    raise AssertionError(f"trained again: {what}")


@pytest.mark.parametrize("spoil", ["meta.json", "weights.npy"])
def test_a_cache_that_cannot_be_read_is_made_again(tmp_path: Path, spoil: str) -> None:
    brain.load_or_train(small_library(), tmp_path)
    [folder] = tmp_path.glob("brain-*")
    (folder / spoil).write_bytes(b"not what it was")
    told: list[str] = []

    again = brain.load_or_train(small_library(), tmp_path, lambda what, _: told.append(what))

    assert "training again" in told[0]
    assert again.model.labels == small_library().labels
    assert brain.load_or_train(small_library(), tmp_path, _no_training).model.labels == again.model.labels


def test_the_staffs_questions_are_read_once(tmp_path: Path) -> None:
    trained = brain.load_or_train(small_library(), tmp_path)
    first = brain.remembered(trained, tmp_path, ["can i drink wine"])
    again = brain.remembered(trained, tmp_path, ["can i drink wine"])
    other = brain.remembered(trained, tmp_path, ["can i drink tea"])

    assert first.words == again.words == {"can", "i", "drink", "wine"}
    assert np.array_equal(first.extra.astype(np.uint64), again.extra)
    assert (first.gists != again.gists).nnz == 0
    assert not np.array_equal(first.extra, other.extra)
    assert len(list(tmp_path.glob("questions-*"))) == 1


def test_questions_whose_cache_is_broken_are_read_again(tmp_path: Path) -> None:
    trained = brain.load_or_train(small_library(), tmp_path)
    first = brain.remembered(trained, tmp_path, ["can i drink wine"])
    [path] = tmp_path.glob("questions-*")
    path.write_bytes(path.read_bytes()[:100])

    assert brain.remembered(trained, tmp_path, ["can i drink wine"]).words == first.words


@pytest.mark.parametrize("size", [0, 1, 7, 3000, 2 * AT_ONCE])
def test_a_hash_is_found_where_it_stands_and_nowhere_else(size: int) -> None:
    hashes = np.unique(np.random.default_rng(1).integers(0, 2**64, size, np.uint64))
    known, unknown = HashIndex(hashes), hashes + np.uint64(1)

    assert np.array_equal(known.places(hashes[::-1]), np.arange(len(hashes))[::-1])
    assert (known.places(unknown) == -1).all()


def test_features_of_the_staff_stand_after_the_others_however_often_some_are_added() -> None:
    base, matrix, _ = Vectoriser.fit(reading(TEXTS), ["a", "b", "c", "c", "c"])
    first, second = (np.sort(np.unique(read([text]).hashes)) for text in ("zebra zoo", "quokka"))

    once = base.extended(first)
    twice = once.extended(np.setdiff1d(second, first))

    assert (once.matrix(reading(TEXTS))[:, : base.width] != matrix).nnz == 0
    assert set(twice.vector(read(["zebra zoo"]))[0]) == set(range(base.width, once.width))
    assert set(twice.vector(read(["quokka"]))[0]) >= set(range(once.width, twice.width))


def test_hashes_that_all_begin_alike_are_found_too() -> None:
    hashes = np.arange(100, dtype=np.uint64)

    assert np.array_equal(HashIndex(hashes).places(hashes), np.arange(100))


def read_by(readers: reading_module.Readers, told: list[float] | None = None) -> tuple[list[str], Reading]:
    shares = [] if told is None else told
    with readers:
        return readers.read(TEXTS, lambda _, share: shares.append(share))


def test_other_processes_read_a_library_as_this_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    folded, alone = read_by(reading_module.Readers(0, shipped_lexicon()))
    monkeypatch.setattr(reading_module, "WORTH_IT", 2)
    monkeypatch.setattr(reading_module, "CHUNK", 2)
    told: list[float] = []
    readers = reading_module.Readers(len(TEXTS))

    also_folded, shared = read_by(readers, told)

    assert folded == also_folded == [fold(text) for text in TEXTS]
    assert np.array_equal(alone.hashes, shared.hashes)
    assert np.array_equal(alone.cells, shared.cells)
    assert shared.rows == 5
    assert told[-1] == 1.0
    assert readers.lexicon.concepts == shipped_lexicon().concepts


class Refused:
    """No process can be started."""

    def __init__(self, *_: object) -> None:
        raise OSError("no more processes")


class Dying:
    """Processes that die after the first texts."""

    def __init__(self, *_: object) -> None: ...

    def submit(self, *_: object) -> Future[Lexicon]:
        future: Future[Lexicon] = Future()
        future.set_exception(BrokenProcessPool())
        return future

    def map(self, _: object, chunks: list[list[str]]) -> Iterator[object]:
        folded = [fold(text) for text in chunks[0]]
        yield folded, read(folded, shipped_lexicon().find)
        raise BrokenProcessPool

    def shutdown(self, **_: object) -> None: ...


@pytest.mark.parametrize("processes", [Refused, Dying])
def test_where_no_process_can_be_started_or_goes_on_this_one_reads(
    processes: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, alone = read_by(reading_module.Readers(0, shipped_lexicon()))
    monkeypatch.setattr(reading_module, "WORTH_IT", 2)
    monkeypatch.setattr(reading_module, "CHUNK", 2)
    monkeypatch.setattr(reading_module, "ProcessPoolExecutor", processes)

    folded, reading = read_by(reading_module.Readers(len(TEXTS)))

    assert folded == [fold(text) for text in TEXTS]
    assert np.array_equal(alone.hashes, reading.hashes)


def test_before_the_first_round_each_feature_leans_to_the_lines_that_have_it() -> None:
    _, matrix, _ = Vectoriser.fit(reading(TEXTS), ["a", "b", "c", "c", "c"])
    targets, alarms = np.array([0, 1, 2, 2, 2]), np.array([0.0, 0, 1, 1, 1])
    trainer = Trainer(matrix, targets, alarms, np.zeros(5, int), 3, 2)

    trainer.run(np.array([0, 1, 2, 3]), 0)

    assert trainer.judge(np.array([0, 1, 2, 3])).argmax(1).tolist() == [0, 1, 2, 2]
    assert ((matrix @ trainer.alarm > 0) == [False, False, True, True, True]).all()
    assert np.allclose((trainer.weights**2).mean(1)[matrix[0].indices], LEANING**2)
    assert not trainer.weights[np.setdiff1d(matrix[4].indices, matrix[3].indices)].any()


def test_a_line_that_is_known_well_enough_is_not_gone_over_again() -> None:
    _, matrix, _ = Vectoriser.fit(reading(TEXTS), ["a", "b", "c", "c", "c"])
    targets, alarms = np.array([0, 1, 2, 2, 2]), np.array([0.0, 0, 1, 1, 1])
    trainer = Trainer(matrix, targets, alarms, np.zeros(5, int), 3, 2, enough=1.0)
    trainer.run(np.arange(5), 1)
    once = trainer.weights

    trainer.run(np.arange(5), 1)

    assert once.any()
    assert np.array_equal(trainer.weights, once)


TOGETHER = [
    ("how long does swelling last", None),
    ("Can I fly on Friday? My left eye went dark an hour ago.", "en"),
    ("お酒いつから飲める？あと、熱はないです", None),
    ("붓기 언제 빠져요", "ko"),
    ("", "ja"),
    ("线头冒出来了😱", None),
    ("stop", "en"),
    ("qwrtz plmk", None),
]


def test_several_messages_mean_what_each_means_alone() -> None:
    assert shipped().understand_all(TOGETHER) == [shipped().understand(*message) for message in TOGETHER]
    assert {meaning.outcome for meaning in shipped().understand_all(TOGETHER)} >= {
        "danger",
        "answer",
        "unknown",
    }


def test_what_fails_with_one_message_costs_no_other() -> None:
    class Fragile:
        def evidence(self, texts: Sequence[Normalised]) -> list[Evidence]:
            if any("boom" in text.text for text in texts):
                raise RuntimeError("broken")
            return shipped().matcher.evidence(texts)

        def __getattr__(self, name: str) -> object:
            return getattr(shipped().matcher, name)

    fragile = Understander(shipped().faq, shipped().brain, Fragile())  # type: ignore[arg-type]
    alone = [shipped().understand(*message) for message in TOGETHER]

    assert fragile.understand_all([*TOGETHER, ("boom", "ko")])[:-1] == alone
    assert fragile.understand_all([*TOGETHER, ("boom", "ko")])[-1].outcome == "danger"


def test_a_part_that_fails_counts_as_possible_danger() -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("broken")

    whole = shipped()
    broken = Understander(whole.faq, whole.brain, Broken())  # type: ignore[arg-type]

    assert broken.understand("hello? one more thing. and another.").outcome == "danger"
