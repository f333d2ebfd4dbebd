"""The shell of due reminders: claim, still sensible?, send, record. APScheduler is only its clock."""

from bot.outbox.outbox import Outbox as Outbox
