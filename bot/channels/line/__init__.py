"""LINE as a channel. Only `client` imports the library."""

from bot.channels.line.channel import LineChannel

__all__ = ["LineChannel"]
