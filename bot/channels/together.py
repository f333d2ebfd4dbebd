"""Events that came in one call of a platform are taken in at once: in their order, and stored in one transaction."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any


async def together(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Returns when each of `works` has ended; they begin in their order. Raises the first failure, so that none is confirmed."""
    if len(works) == 1:  # the usual: a message by webhook needs no task of its own
        return await works[0]
    for ended in await asyncio.gather(*works, return_exceptions=True):
        if ended is not None:
            raise ended
    return None
