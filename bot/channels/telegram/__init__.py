"""Telegram as a channel. Only `client` imports the library."""

from bot.channels.telegram.channel import TelegramChannel

__all__ = ["TelegramChannel"]
