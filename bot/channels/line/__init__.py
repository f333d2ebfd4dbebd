"""LINE as a channel. Only `client` imports the library."""

from bot.channels.line.channel import LineChannel
from bot.channels.line.menu import MenuTexts

__all__ = ["LineChannel", "MenuTexts"]
