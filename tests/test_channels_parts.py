"""The small parts that channels share: signed callback data, splitting, persistence, pace."""

import datetime as dt
import json
import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.callback import CallbackSigner
from bot.channels.line.messages import MESSAGES_A_CALL, render
from bot.channels.persist import PATIENCE, persist
from bot.channels.port import SendFailed
from bot.channels.splitting import printable, shorten, split, units
from bot.channels.telegram import keyboards
from bot.channels.telegram.channel import TEXT_UNITS
from bot.channels.telegram.pace import LONGEST_HOLD, Pace
from bot.core.values import Button, DatePicker, Message
from tests.peers import bot_api, line_spec

MANY = settings(max_examples=int(os.environ.get("SMILELINE_EXAMPLES", "300")), deadline=None)
SIGNER = CallbackSigner(b"k" * 32)
DAY = dt.date(2026, 11, 20)
actions = st.from_regex(r"[a-z]{1,12}(:[A-Za-z0-9_-]{1,30})?", fullmatch=True)


# --- signed callback data


@given(action=actions, chat=st.integers().map(str))
def test_signed_actions_open_in_their_chat_only(action: str, chat: str) -> None:
    data = SIGNER.sign(action, chat)

    assert len(data.encode()) <= 64
    assert SIGNER.open(data, chat) == action
    assert SIGNER.open(data, chat + "1") is None
    assert CallbackSigner(b"x" * 32).open(data, chat) is None


@given(data=st.text(max_size=70))
def test_no_invented_data_opens(data: str) -> None:
    assert SIGNER.open(data, "1") is None


@given(action=actions, position=st.integers(0, 25), letter=st.characters(codec="ascii"))
def test_changing_one_letter_breaks_the_signature(action: str, position: int, letter: str) -> None:
    data = SIGNER.sign(action, "1")
    position %= len(data)
    forged = data[:position] + letter + data[position + 1 :]

    assert SIGNER.open(forged, "1") == (action if forged == data else None)


@pytest.mark.parametrize("action", ["", "x" * 49, "日付"])
def test_what_is_no_action_is_not_signed(action: str) -> None:
    with pytest.raises(ValueError, match="48 ASCII"):
        SIGNER.sign(action, "1")


# --- splitting


@given(text=st.text(), limit=st.integers(10, 60))
def test_splitting_loses_only_space(text: str, limit: int) -> None:
    parts = split(text, limit)

    assert all(part.strip() and units(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(text=st.text(alphabet="ab. 。🙂\n👩‍⚕️é\u0301", max_size=300), limit=st.integers(10, 40))
def test_no_emoji_is_cut_in_half(text: str, limit: int) -> None:
    assert all(part.encode("utf-16-le") and "�" not in part for part in split(text, limit))


def test_texts_are_cut_after_sentences_in_every_language() -> None:
    assert split("One is here. Two is there. Three.", 20) == ["One is here.", "Two is there. Three."]
    assert split("腫れは続きます。痛みは減ります。心配なら電話を。", 18) == [
        "腫れは続きます。痛みは減ります。",
        "心配なら電話を。",
    ]
    assert split("A paragraph.\n\nThe next one. And more.", 26) == ["A paragraph.", "The next one. And more."]


def test_units_are_counted_as_utf_16() -> None:
    assert (units("a"), units("語"), units("🙂")) == (1, 1, 2)
    assert [units(part) for part in split("🙂" * 2501, 5000)] == [5000, 2]


@given(text=st.text(), limit=st.integers(5, 64))
def test_shortening_keeps_the_limit(text: str, limit: int) -> None:
    assert units(shorten(text, limit)) <= limit


@given(text=st.text(alphabet=st.characters(codec=None)))
def test_printable_text_can_be_stored_anywhere(text: str) -> None:
    assert "\0" not in printable(text)
    printable(text).encode()


# --- everything that is rendered is to the platforms' specifications


buttons = st.lists(
    st.builds(Button, st.text(max_size=80), st.one_of(actions, st.text(max_size=60))), max_size=20
)
pickers = st.builds(
    DatePicker, st.text(max_size=30), *([st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1))] * 3)
).filter(lambda picker: picker.first <= picker.last)
messages = st.builds(
    Message,
    st.text(min_size=1, max_size=6000),
    buttons.map(tuple),
    st.none() | pickers,
    st.just("") | st.text(min_size=1, max_size=60).filter(str.strip),
)


@pytest.mark.slow
@MANY
@given(message=messages)
def test_what_telegram_gets_is_to_spec(message: Message) -> None:
    rows = keyboards.keyboard(message, "1", SIGNER, "ja")
    markup = {
        "inline_keyboard": [[{"text": label, "callback_data": data} for label, data in row] for row in rows]
    }

    for part in split(message.words, TEXT_UNITS):
        sent = {"chat_id": "1", "text": part, "reply_markup": json.dumps(markup)}
        assert bot_api.spec().check("sendMessage", sent) == []
    assert all(label for row in rows for label, _ in row)


@pytest.mark.slow
@MANY
@given(message=messages)
def test_what_line_gets_is_to_spec(message: Message) -> None:
    objects = render(message)

    for start in range(0, len(objects), MESSAGES_A_CALL):
        body = {"to": "U1", "messages": objects[start : start + MESSAGES_A_CALL]}
        assert line_spec.request_problems("POST", "/v2/bot/message/push", body) == []
    assert all(units(part["text"]) <= 5000 for part in objects if part["type"] == "text")


# --- persistence


class Attempts:
    """Fails as told, then succeeds; and a clock that only counts the waiting."""

    def __init__(self, *failures: SendFailed) -> None:
        self.failures, self.made, self.waited = list(failures), 0, 0.0

    async def __call__(self) -> None:
        self.made += 1
        if self.failures:
            raise self.failures.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.waited += seconds


LIMITED, AWAY = SendFailed("rate_limited", retry_after=7), SendFailed("unreachable")
LOST = SendFailed("unknown_outcome", sent="unknown")


@pytest.mark.parametrize(
    ("failures", "made", "waited"),
    [([], 1, 0), ([LIMITED], 2, 7), ([AWAY, AWAY], 3, 1.5), ([LOST], 2, 0.5), ([AWAY, LOST, AWAY], 4, 3.5)],
)
async def test_what_may_help_is_tried_again(failures: list[SendFailed], made: int, waited: float) -> None:
    attempts = Attempts(*failures)

    await persist(attempts, sleep=attempts.sleep)

    assert (attempts.made, attempts.waited) == (made, waited)


@pytest.mark.parametrize(
    ("failures", "made"),
    [
        ([LOST, LOST], 2),  # once more, not twice: each may have arrived
        ([SendFailed("blocked", permanent=True)], 1),
        ([SendFailed("refused")], 1),
        ([SendFailed("quota")], 1),
        ([SendFailed("rate_limited", retry_after=PATIENCE + 1)], 1),
        ([AWAY] * 9, 6),
    ],
)
async def test_what_cannot_help_is_not_tried_again(failures: list[SendFailed], made: int) -> None:
    attempts = Attempts(*failures)

    with pytest.raises(SendFailed):
        await persist(attempts, sleep=attempts.sleep)

    assert attempts.made == made


# --- pace


class Time:
    """Simulated time: sleeping moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def sent_times(
    pace: Pace, time: Time, chats: Callable[[int], str], count: int, reminder: bool
) -> list[float]:
    times = []
    for number in range(count):
        await pace.wait(chats(number), reminder)
        times.append(time.now)
    return times


def busiest_second(times: list[float]) -> int:
    return max(sum(start <= other < start + 1 for other in times) for start in times)


@pytest.mark.parametrize("reminder", [True, False])
async def test_never_more_than_telegram_allows_in_any_second(reminder: bool) -> None:
    time = Time()
    pace = Pace(monotonic=time, sleep=time.sleep)

    times = await sent_times(pace, time, str, 300, reminder)

    assert busiest_second(times) <= 30
    assert times[-1] - times[0] < 300 / (18 if reminder else 24) + 1


async def test_one_chat_gets_a_short_burst_and_then_one_a_second() -> None:
    time = Time()
    pace = Pace(monotonic=time, sleep=time.sleep)

    times = await sent_times(pace, time, lambda _: "1", 6, False)

    assert times[2] - times[0] < 0.2
    assert times[5] - times[2] == pytest.approx(3, abs=0.2)


async def test_a_held_chat_gives_the_wait_back_and_opens_at_the_second() -> None:
    time = Time()
    pace = Pace(monotonic=time, sleep=time.sleep)
    pace.hold("1", 10)

    with pytest.raises(SendFailed) as held:
        await pace.wait("1", False)
    await pace.wait("2", False)
    time.now = 110 - LONGEST_HOLD + 0.01
    await pace.wait("1", False)

    assert held.value.retry_after == pytest.approx(10)
    assert time.now >= 110


async def test_when_several_chats_are_refused_at_once_the_whole_bot_waits() -> None:
    time = Time()
    pace = Pace(monotonic=time, sleep=time.sleep)
    for chat in "123":
        pace.hold(chat, 20)

    with pytest.raises(SendFailed):
        await pace.wait("4", False)


async def test_reminders_never_stand_before_an_answer() -> None:
    time = Time()
    pace = Pace(monotonic=time, sleep=time.sleep)
    await sent_times(pace, time, str, 100, True)
    before = time.now

    await pace.wait("a patient", False)

    assert time.now - before < 0.1
