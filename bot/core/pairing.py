"""One person on two channels: a code shown in one chat and typed in the other joins the two. Pure."""

import datetime as dt
import re
import unicodedata
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Literal

from bot.core.actions import button, split
from bot.core.effects import Decision, JoinChats, OfferCode
from bot.core.values import Address, Button, Context, Incoming, Message
from bot.core.wording import Wording

CodeState = Literal["open", "own", "joined", "wrong"]
DIGITS = 6
MINUTES = 10  # that a code lives
TRIES = 5  # wrong codes from one chat within MINUTES; then no code is looked up from there
ALL_TRIES = 100  # from all chats together: with ten codes alive a guesser's chance stays below 1 in 1,000
_CHATS_KEPT = 10_000
_CODE = re.compile(r"\d{3}[ -]?\d{3}")


def typed_code(event: Incoming, typed: str | None) -> str | None:
    """The code that this event brings: typed as six digits, or agreed to by a button `consent:pair-123456`."""
    if typed or event.kind == "action":
        verb, argument = split(typed or event.action)
        found = re.fullmatch(r"pair-(\d{6})", argument) if verb == "consent" else None
        return found[1] if found else None
    if event.kind not in ("text", "edited"):
        return None
    text = unicodedata.normalize("NFKC", event.text).strip(" .。!！")
    return re.sub(r"\D", "", text) if _CODE.fullmatch(text) and text.isascii() else None


def offered(words: Wording) -> tuple[Button, ...]:
    """The button that asks for a code; none where no messenger is used, since a second one would be the first."""
    return (button(words, "btn_pair", "pair"),) if words.platform else ()


def offer(words: Wording, context: Context) -> Decision:
    """`/pair`: show a code. It leads to what is kept, so it is for those who have agreed that something is kept."""
    if context.patient.consent_at is None:
        message = Message(words("consent_needed"), (button(words, "btn_date", "date"),))
        return Decision((message,), (), "pair_needs_consent")
    text = words("pair_code", code=context.fresh_code, minutes=MINUTES)
    return Decision((Message(text),), (OfferCode(context.fresh_code),), "pair_code")


def join(code: str, agreed: bool, words: Wording, context: Context) -> Decision:
    """A code was typed; `context.code_state` is what the store knows of it."""
    match context.code_state:
        case "own":  # typed where it was shown
            return Decision((Message(words("pair_code", code=code, minutes=MINUTES)),), (), "pair_own")
        case "joined":  # typed twice, or we died before we could say so
            return Decision((Message(words("pair_done")),), (), "pair_done")
        case "open" if context.patient.consent_at or agreed:
            return Decision((Message(words("pair_done")),), (JoinChats(code),), "pair_done")
        case "open":  # the other platform is another company: its part of the consent is asked for here
            buttons = (
                button(words, "btn_agree", f"consent:pair-{code}"),
                button(words, "btn_decline", "consent:no"),
                button(words, "btn_privacy", "privacy"),
            )
            return Decision((Message(words.on_data("consent_ask"), buttons),), (), "pair_consent")
        case _:
            return Decision((Message(words("pair_invalid")),), (), "pair_invalid")


@dataclass
class Guesses:
    """Counts wrong codes, in memory: who guesses is nobody whom we may keep."""

    _chats: OrderedDict[Address, deque[dt.datetime]] = field(default_factory=OrderedDict)
    _all: deque[dt.datetime] = field(default_factory=lambda: deque(maxlen=ALL_TRIES))

    def allowed(self, address: Address, now: dt.datetime) -> bool:
        """Whether a code from `address` is looked up at all."""
        mine = self._chats.get(address, deque())
        return not (_full(mine, TRIES, now) or _full(self._all, ALL_TRIES, now))

    def wrong(self, address: Address, now: dt.datetime) -> None:
        """A code that was none."""
        self._chats.setdefault(address, deque(maxlen=TRIES)).append(now)
        self._chats.move_to_end(address)
        while len(self._chats) > _CHATS_KEPT:
            self._chats.popitem(last=False)
        self._all.append(now)


def _full(times: deque[dt.datetime], most: int, now: dt.datetime) -> bool:
    return len(times) == most and now - times[0] < dt.timedelta(minutes=MINUTES)
