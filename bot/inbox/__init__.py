"""The shell of incoming events: stored before they are acknowledged, answered in order, recorded."""

from bot.inbox.inbox import Inbox as Inbox
