"""What is remembered of conversations in memory only: it is gone with the process, and needs no consent."""

import datetime as dt
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.core.actions import consent_asked
from bot.core.effects import Decision
from bot.core.values import Address, Button, Incoming, Line, Patient

SESSIONS = 20_000
FLOOD_MESSAGES = 20  # answered within FLOOD_SECONDS; a person types slower, a script faster
FLOOD_SECONDS = 30.0
TALK = 12  # lines of a conversation remembered, for the person who takes over
PICTURES = 3  # of late, for the person who takes over; where they are to be had, not what they show
CLOSES = (
    "consent",
    "consent_declined",
    "link_ok",
    "pair_done",
    "date",
    "delete",
)  # outcomes after which no consent is open
HELPFUL_EVERY = 4  # answers, of which the first is asked about


@dataclass
class Session:
    """One conversation. `patient` is as the store had it last; before consent its language stands here only."""

    patient: Patient
    last_buttons: tuple[Button, ...] = ()
    consent_open: Button | None = None  # agrees to what was asked, and not answered so far
    last_entry: str | None = None
    spoke_at: dt.datetime | None = None  # when the bot last answered here
    talk: deque[Line] = field(default_factory=lambda: deque(maxlen=TALK))
    pictures: deque[Incoming] = field(default_factory=lambda: deque(maxlen=PICTURES))  # nobody has seen yet
    answers: int = 0  # since "was this helpful?" was asked last
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=FLOOD_MESSAGES))
    warned: bool = False

    def forget(self) -> None:
        """What was said is gone, here too: nobody of the clinic is shown it later."""
        self.talk.clear()
        self.pictures.clear()
        self.last_entry = self.consent_open = None

    def spoke(self, decision: Decision, now: dt.datetime) -> None:
        """`decision` was said at `now`."""
        self.last_buttons, self.spoke_at = decision.replies[-1].buttons, now
        if asked := consent_asked(self.last_buttons):
            self.consent_open = asked
        elif decision.outcome in CLOSES:
            self.consent_open = None

    def flooding(self, now: float) -> bool:
        """Count a message at `now` (seconds of a clock that never jumps); whether there are too many of them."""
        full = len(self.recent) == FLOOD_MESSAGES and now - self.recent[0] < FLOOD_SECONDS
        self.recent.append(now)
        self.warned = self.warned and full
        return full

    def refresh(self, stored: Patient | None) -> None:
        """The store's word counts: the patient's other chat, staff or another process may have changed it."""
        memory = self.patient
        self.patient = stored or Patient(
            memory.address, language=memory.language, traditional=memory.traditional
        )


class Sessions:
    """The conversations of late."""

    def __init__(self, most: int = SESSIONS) -> None:
        self._most = most
        self._by_address: OrderedDict[Address, Session] = OrderedDict()

    def of(self, address: Address, begin: Callable[[Address], Patient] = Patient) -> Session:
        session = self._by_address.setdefault(address, Session(begin(address)))
        self._by_address.move_to_end(address)
        while len(self._by_address) > self._most:
            self._by_address.popitem(last=False)
        return session
