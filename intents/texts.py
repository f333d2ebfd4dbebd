"""Many short texts as two arrays, so that they can stay in a mapped file until one is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Texts(Sequence[str]):
    """`letters` is UTF-8; text i ends before `ends[i]`, where the next begins."""

    letters: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]

    @staticmethod
    def of(texts: Sequence[str]) -> "Texts":
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([len(item) for item in encoded], dtype=np.int64)
        return Texts(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        start = int(self.ends[place - 1]) if place else 0
        return self.letters[start : int(self.ends[place])].tobytes().decode("utf-8", "surrogatepass")
