"""What is read from a text, as numbers."""

import numpy as np
import pytest

from intents import scope
from intents.features import AT_ONCE, BLOCKS, Reading, jamo, read, stem
from intents.library import Library
from intents.text import fold

TEXTS = [
    "can i wash my face tonight, no fever just 38.5 sore sore sore",
    "웃을때 땡기는데 언제 없어짐 ㅠㅠ",
    "笑うとピキッてなる",
    "線拉完 botox 之後 沒有 發燒 🤒",
    "x",
    "",
    "   ",
    "3",
]


def features(text: str, block: str | None = None) -> set[int]:
    reading = read([fold(text)])
    kept = reading.cells == BLOCKS.index(block) if block else np.ones(len(reading.cells), bool)
    return set(reading.hashes[kept].tolist())


def rows(reading: Reading) -> list[set[tuple[int, int]]]:
    width = len(BLOCKS)
    found: list[set[tuple[int, int]]] = [set() for _ in range(reading.rows)]
    for hash, cell in zip(reading.hashes.tolist(), reading.cells.tolist(), strict=True):
        found[cell // width].add((hash, cell % width))
    return found


def test_many_texts_are_read_as_each_alone() -> None:
    lines = [fold(line.text) for line in Library.load().lines[:: 75_000 // (2 * AT_ONCE)]]
    texts = [*map(fold, TEXTS), *lines]
    together = read(texts)

    assert together.rows == len(texts) > 2 * AT_ONCE
    assert (np.diff(together.cells // len(BLOCKS)) >= 0).all()
    assert rows(together) == [rows(read([text]))[0] for text in texts]


def test_each_feature_counts_once() -> None:
    for reading in (read([fold(text)]) for text in TEXTS):
        assert len(set(reading.hashes.tolist())) == len(reading.hashes)
    assert features("sore sore", "word") == features("sore", "word")


@pytest.mark.parametrize("text", ["", "  ", "...", "!?"])
def test_nothing_is_read_from_nothing(text: str) -> None:
    assert not features(text)


def test_what_is_denied_is_another_feature_than_what_is_asserted() -> None:
    assert not features("no fever", "word") & features("fever", "word")
    assert features("no fever", "word") & features("without fever", "word")


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("no fever, just sore", "fever"),
        ("i can't breathe", ""),
        ("there is no feeling in my lip", ""),
        ("没有发烧，只是有点肿", "发烧"),
        ("没力气", ""),
        ("没事就是有点喘不上气，老毛病了", ""),
        ("没什么啦 嘴巴有点歪而已", ""),
        ("冇嘢，不過個嘴歪咗", ""),
        ("没什么出血", "出血"),
        ("没有大碍，就是发烧", ""),
        ("no big deal but my mouth hangs", ""),
        ("口の中の出血はありません。歯石取りに行けますか", "口の中の出血"),
        ("熱も膿も出ていません", "熱も膿"),
        ("うみもなし、げんき", "うみ"),
        ("感覚がないです", ""),
        ("力が入らない", ""),
    ],
)
def test_only_what_a_negation_covers_is_denied(text: str, denied: str) -> None:
    assert scope.split(fold(text))[1].strip() == fold(denied)


def test_the_number_of_blocks_fits_the_bits_of_a_hash() -> None:
    assert len(BLOCKS).bit_count() == 1
    assert AT_ONCE <= 2**8


def test_pairs_are_the_same_in_any_order_and_neighbours_are_not() -> None:
    assert features("wash face", "pair") == features("face wash", "pair")
    assert features("wash face", "next") != features("face wash", "next")
    assert features("腫れ", "cjkpair") == features("れ腫", "cjkpair")
    assert features("腫れ", "cjk") != features("れ腫", "cjk")


def test_characters_that_stand_far_apart_in_a_long_message_are_no_pair() -> None:
    long = "".join(map(chr, range(0x4E00, 0x4E00 + 30)))
    assert len(features(long[:8], "cjkpair")) == 8 * 7 / 2
    assert features(long[:2], "cjkpair") <= features(long, "cjkpair")
    assert features(long[-2:], "cjkpair") <= features(long, "cjkpair")
    assert not features(long[0] + long[-1], "cjkpair") & features(long, "cjkpair")


def test_runs_end_at_the_word_but_for_those_that_bridge_a_space() -> None:
    assert features("to night", "char") != features("tonight", "char")
    assert features("wash my face", "char") == features("my face wash", "char")
    assert features("i wash", "cross") & features("we i wash", "cross")
    assert not features("38.5 101", "char")


def test_spaces_say_little_in_korean() -> None:
    assert features("얼굴이부었어요", "syllable") == features("얼굴이 부었어요", "syllable")
    assert features("얼굴이부었어요", "jamo") != features("얼굴이 부었어요", "jamo")


def test_a_slip_inside_a_syllable_leaves_most_of_the_letters() -> None:
    right, slipped = features("부었어요", "jamo"), features("부엇어요", "jamo")
    assert len(right & slipped) > len(right) / 3
    assert jamo("웃a") == "ㅇㅜㅅa"


def test_the_same_run_is_another_feature_in_another_block() -> None:
    every = [features("wash face 얼굴이 顔が腫れ", block) for block in BLOCKS]
    assert len(set.union(*every)) == sum(map(len, every))


def test_stems_join_the_forms_of_a_word() -> None:
    assert stem("swelling") == stem("swells") == stem("swell")
    assert features("swollen cheeks", "word") == features("swollen cheek", "word")


def test_a_feature_has_the_same_number_in_every_process() -> None:
    assert sorted(features("ab"))[:2] == [181155745271910660, 3653694419931225412]
