"""Logging: one JSON line an event with ids, states and durations; never a patient's words, a token or a request body.

httpx writes the bot token's URL at INFO and exceptions carry URLs, so a filter rewrites tokens in every record as well.
"""

import logging
import re
import sys

import structlog
from structlog.types import EventDict, WrappedLogger

_TOKEN = re.compile(r"(bot)?\d{5,}(:|%3A)[A-Za-z0-9_-]{20,}|Bearer\s+[A-Za-z0-9+/=_.-]{16,}")
_NOISY = (
    "httpx",
    "httpcore",
    "apscheduler",
    "telegram",
    "telegram.ext",
    "linebot",
    "aiohttp.access",
    "watchfiles",
    "alembic",
)


_known: set[str] = set()
_SHORTEST = 8  # characters of a secret that is looked for; a shorter one would blot out ordinary words


def never_show(*secrets: str | None) -> None:
    """From now on these stand in no line, whatever they look like."""
    _known.update(secret for secret in secrets if secret and len(secret) >= _SHORTEST)


def hide_secrets(text: str) -> str:
    """`text` with the secrets that we know, and whatever looks like a platform's token, taken out."""
    for secret in _known:
        text = text.replace(secret, "[hidden]")
    return _TOKEN.sub("[hidden]", text)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Hides tokens in the finished line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record))


def _hide(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return {key: hide_secrets(value) if isinstance(value, str) else value for key, value in event.items()}


def set_up(level: str = "INFO") -> None:
    """Send our events and the libraries' warnings to standard error as JSON lines."""
    shared = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _hide,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,  # type: ignore[list-item]
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=shared,  # type: ignore[arg-type]
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:  # at DEBUG these write whole requests and updates
        logging.getLogger(name).setLevel(logging.WARNING)


def get(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
