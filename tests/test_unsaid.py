"""What could not be told before, beside what is said now."""

import pytest

from bot.core.unsaid import MOST, added, with_unsaid
from bot.core.values import Button, Message
from bot.core.wording import Wording
from intents.faq import Faq

HELP = (Button("Help", "help"),)


@pytest.fixture
def words(faq: Faq) -> Wording:
    return Wording(faq, "en")


def test_what_was_not_told_stands_above_an_answer_and_the_buttons_stay(words: Wording) -> None:
    shown = with_unsaid(Message("Three days.", HELP), ("Call 119.",), danger=False, words=words)

    assert shown == Message(f"{words('unsaid')}\n\nCall 119.\n\nThree days.", HELP)


def test_nothing_stands_above_what_to_do_in_danger(words: Wording) -> None:
    shown = with_unsaid(Message("Call 119."), ("See a doctor today.",), danger=True, words=words)

    assert shown.text == f"Call 119.\n\n{words('unsaid')}\n\nSee a doctor today."


def test_what_is_said_now_is_not_said_a_second_time(words: Wording) -> None:
    message = Message("Call 119.", HELP)

    assert with_unsaid(message, ("Call 119.",), danger=True, words=words) == message
    assert with_unsaid(message, (), danger=True, words=words) == message


def test_a_card_whose_room_is_small_becomes_words(words: Wording) -> None:
    shown = with_unsaid(Message("line", HELP, heading="Day 3"), ("Call 119.",), danger=False, words=words)

    assert (shown.heading, shown.text.splitlines()[-2:]) == ("", ["Day 3", "line"])


def test_alone_it_has_no_empty_lines_around(words: Wording) -> None:
    shown = with_unsaid(Message(""), ("Call 119.",), danger=False, words=words)

    assert shown.text == f"{words('unsaid')}\n\nCall 119."


def test_the_newest_are_kept_each_once() -> None:
    kept = added(("a", "b"), ("c", "a"))

    assert kept == ("b", "c", "a")
    assert added(kept, ("d", "e", "f")) == ("a", "d", "e", "f")
    assert len(added(kept, tuple("defgh"))) == MOST
