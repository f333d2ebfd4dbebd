"""What patients decide about their own data and reminders: carried out by the bot even while a person talks with them. Pure."""

from dataclasses import replace

from bot.core.actions import split
from bot.core.effects import CarriedOut, Decision, EraseAll
from bot.core.values import Incoming

# The commands and what their answers offer; "yes" and "no" to an erasure are `delete:yes` and `delete:no`.
VERBS = frozenset({"delete", "stop", "pause", "resume", "reminders", "privacy", "data", "pair"})
_NOTES = {
    "delete_ask": "The bot asks the patient whether everything that is kept shall be deleted.",
    "delete_cancelled": "Nothing was deleted: the patient said no.",
    "reminders_stopped": "The bot has stopped the reminders.",
    "reminders_paused": "The bot has paused the reminders.",
    "my_data": "The bot has shown what is kept.",
    "privacy": "The bot has shown how data is kept.",
}
_OTHERWISE = "The bot has answered this."


def asked_for(event: Incoming, typed: str | None) -> str | None:
    """The action, if it is one of these; `typed` is that of a typed command or label. Words are left to the person."""
    action = {"action": event.action, "text": typed}.get(event.kind)
    return action if action and split(action)[0] in VERBS else None


def carried_out(decision: Decision) -> Decision:
    """The same, with a line for the person who talks. An erasure has told them already: nothing is kept after it."""
    if any(isinstance(effect, EraseAll) for effect in decision.effects):
        return decision
    note = CarriedOut(_NOTES.get(decision.outcome, _OTHERWISE))
    return replace(decision, effects=(*decision.effects, note))
