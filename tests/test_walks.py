"""Hypothesis walks through conversations in each language; whatever either platform would be sent is to its specification.

`SMILELINE_WALKS=100000` walks further than the 2,000 conversations of the suite.
"""

import datetime as dt
import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.channels.callback import CallbackSigner
from bot.channels.line.messages import MESSAGES_A_CALL, render
from bot.channels.splitting import split, units
from bot.channels.telegram import calendar, keyboards
from bot.channels.telegram.channel import TEXT_UNITS
from bot.core.actions import MENU
from bot.core.conversation import decide
from bot.core.effects import EraseAll, GiveConsent, SetLanguage, SetProcedureDate, SetReminders
from bot.core.values import Address, Button, Context, Incoming, Message, Patient, Upcoming
from intents.faq import Faq
from intents.languages import LANGUAGES
from intents.understand import Understander
from tests.helpers import NOW
from tests.peers import bot_api, line_spec

pytestmark = pytest.mark.slow

WALKS = int(os.environ.get("SMILELINE_WALKS", "2000"))
SIGNER = CallbackSigner(b"k" * 32)
CHAT = "9007199254740991"
SAID = {
    "en": ("How long does the swelling last?", "pain", "I can't breathe", "20 November", "stop", "thank you"),
    "ja": ("腫れはいつまで続きますか", "痛み", "息ができません", "11月20日", "停止", "ありがとう"),
    "ko": ("붓기는 얼마나 가나요?", "통증", "숨을 못 쉬겠어요", "11월 20일", "그만", "감사합니다"),
    "zh": ("肿多久能消？", "疼", "我喘不上气", "11月20日", "停止", "謝謝"),
}
ODD = (
    "🙂" * 2048, "👩‍👩‍👧‍👦" * 300, "\u202eمرحبا\u202c" * 300, "a" * 4096, "腫" * 4096, "e\u0301\u0323" * 1300, "\n" * 50, "{phone}",
    "<b>bold</b> *star* _line_ [x](http://x)", "\U0010ffff", "1", "/date", "/nothing", "２０２６年１１月２０日", "123456",
)  # fmt: skip
VERBS = (
    *MENU,
    "none",
    "date:2026-11-20",
    "date:1999-99-99",
    "consent:2026-11-20",
    "delete:yes",
    "lang:zh-Hant",
    "x:y",
)
STEPS = st.one_of(
    st.tuples(st.just("own"), st.integers(0, 5)),
    st.tuples(st.just("odd"), st.integers(0, len(ODD) - 1)),
    st.tuples(st.just("press"), st.integers(0, 12)),
    st.tuples(st.just("verb"), st.integers(0, len(VERBS) - 1)),
    st.tuples(st.just("kind"), st.integers(0, 4)),
    st.tuples(st.just("any"), st.text(max_size=60)),
)
KINDS = ("photo", "voice", "sticker", "other", "joined")


@dataclass
class Walk:
    """One conversation, with what it keeps held in memory."""

    faq: Faq
    understander: Understander
    language: str
    patient: Patient = field(default_factory=lambda: Patient(Address("line", CHAT)))
    buttons: tuple[Button, ...] = ()
    entry: str | None = None

    def take(self, kind: str, what: Any) -> tuple[Message, ...]:
        """One step; what is said to it."""
        event = self._event(kind, what)
        meaning = (
            self.understander.understand(event.text, self.patient.language) if event.text.strip() else None
        )
        context = Context(
            self.patient, NOW, platform="LINE", last_buttons=self.buttons, last_entry=self.entry,
            upcoming=(Upcoming(NOW + dt.timedelta(days=1), self.faq.file.reminders.steps[0].id),), fresh_code="123456",
        )  # fmt: skip
        decision = decide(event, meaning, context, self.faq)
        for effect in decision.effects:
            self.patient = _after(effect, self.patient)
        if decision.replies:
            self.buttons = decision.replies[-1].buttons
        self.entry = decision.entry if decision.outcome == "answer" else self.entry
        return decision.replies

    def _event(self, kind: str, what: Any) -> Incoming:
        event = Incoming(self.patient.address, "1", NOW, "text", language_hint=self.language)
        match kind:
            case "own":
                return replace(event, text=SAID[self.language][what])
            case "odd":
                return replace(event, text=ODD[what])
            case "any":
                return replace(event, text=what)
            case "kind":
                return replace(event, kind=KINDS[what])
            case "press" if self.buttons:
                return replace(event, kind="action", action=self.buttons[what % len(self.buttons)].action)
            case "verb":
                return replace(event, kind="action", action=VERBS[what])
        return replace(event, kind="action", action="help")


def _after(effect: Any, patient: Patient) -> Patient:
    match effect:
        case GiveConsent():
            return replace(patient, id=1, consent_at=NOW)
        case SetLanguage(language, traditional):
            return replace(patient, language=language, traditional=traditional)
        case SetProcedureDate(date):
            return replace(patient, procedure_date=date)
        case SetReminders(state):
            return replace(patient, reminders=state)
        case EraseAll():
            return Patient(patient.address, language=patient.language)
    return patient


def telegram_is_right(message: Message) -> None:
    for part in (parts := split(message.words, TEXT_UNITS)):
        rows = keyboards.keyboard(message, CHAT, SIGNER, calendar.guess_language(part))
        markup = {"inline_keyboard": [[{"text": t, "callback_data": d} for t, d in row] for row in rows]}
        sent = {"chat_id": CHAT, "text": part, **({"reply_markup": json.dumps(markup)} if rows else {})}
        assert bot_api.spec().check("sendMessage", sent) == []
        assert sum(map(len, rows)) <= 100
        assert units(part) <= TEXT_UNITS
    assert parts


def line_is_right(message: Message) -> None:
    objects = render(message)
    assert objects
    for start in range(0, len(objects), MESSAGES_A_CALL):
        body = {"to": "U1", "messages": objects[start : start + MESSAGES_A_CALL]}
        assert line_spec.request_problems("POST", "/v2/bot/message/push", body) == []
    assert all(units(part["text"]) <= 5000 for part in objects if part["type"] == "text")


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_whatever_is_said_is_to_both_platforms_specifications(
    faq: Faq, understander: Understander, language: str
) -> None:
    """Every reply has words, none shows a placeholder of ours, and all buttons can be sent."""
    seen: set[Message] = set()

    @settings(
        max_examples=max(1, WALKS // len(LANGUAGES)), deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(STEPS, min_size=2, max_size=8))
    def walk(steps: list[tuple[str, Any]]) -> None:
        here = Walk(faq, understander, language)
        for kind, what in steps:
            for message in here.take(kind, what):
                assert all(button.action.isascii() and len(button.action) <= 48 for button in message.buttons)
                if message not in seen:  # the same words again are right again
                    assert message.text.strip()
                    assert not {"{phone}", "{clinic}", "{platform}", "{date}", "{code}"} & set(
                        message.text.split()
                    )
                    telegram_is_right(message)
                    line_is_right(message)
                    seen.add(message)

    walk()
    assert len(seen) > 20
