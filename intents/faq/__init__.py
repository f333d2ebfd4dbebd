"""faq.yaml, the staff's file: its shape, and the strict way from text to `Faq`.

`load` returns a Faq or raises FaqProblems with every reason at once, each with its line and column.
"""

from intents.faq.loading import Faq, load, schema
from intents.faq.shape import THREAD_LIFT, URGENCIES, Entry, RedFlag, Step, Urgency
from intents.strict_yaml import FaqProblems

__all__ = [
    "THREAD_LIFT",
    "URGENCIES",
    "Entry",
    "Faq",
    "FaqProblems",
    "RedFlag",
    "Step",
    "Urgency",
    "load",
    "schema",
]
