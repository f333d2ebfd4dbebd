"""What a patient could not be told because the messenger's messages of the month were used up: it goes with the next reply,
which is free.
"""

from dataclasses import replace

from bot.core.values import Message
from bot.core.wording import Wording

MOST = 4  # messages kept; the newest count


def with_unsaid(message: Message, unsaid: tuple[str, ...], danger: bool, words: Wording) -> Message:
    """`message` with what was left `unsaid` above its words; below them where they tell of a danger. Not said twice.

    A card becomes words: it would have no room for both.
    """
    left = [text for text in unsaid if text != message.words]
    if not left:
        return message
    earlier, now = "\n\n".join([words("unsaid"), *left]), message.words
    return replace(
        message, heading="", text="\n\n".join((now, earlier) if danger else (earlier, now)).strip()
    )


def added(unsaid: tuple[str, ...], texts: tuple[str, ...]) -> tuple[str, ...]:
    """`unsaid` with `texts`, each once, the newest last."""
    return (*(text for text in unsaid if text not in texts), *texts)[-MOST:]
