"""Reading faq.yaml for an edit and writing it back: whole or not at all, and only over the version that it was made from."""

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

_saving = threading.Lock()


class EditRefused(Exception):
    """The edit was not made; the message says why and what to do. The file is as it was."""


class Conflict(EditRefused):
    """Somebody else saved the file meanwhile."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The file as it was read: its text, and the fingerprint by which a later change is noticed."""

    text: str
    digest: str

    @staticmethod
    def of(raw: bytes) -> "Snapshot":
        return Snapshot(raw.decode("utf-8-sig"), hashlib.sha256(raw).hexdigest())


def take(path: Path) -> Snapshot:
    """Read the file for editing. Raises EditRefused when it cannot be read."""
    try:
        return Snapshot.of(path.read_bytes())
    except OSError as err:
        raise EditRefused(f"{path.name} cannot be read: {err.strerror}") from err
    except UnicodeDecodeError as err:
        raise EditRefused(f"{path.name} is not UTF-8 text; save it with the encoding UTF-8") from err


def save(path: Path, made_from: Snapshot, text: str) -> Snapshot:
    """Replace the file by `text`, whole or not at all. Raises Conflict when it is no longer `made_from`, EditRefused when the disk
    or the file's mode forbid it. Whatever is raised, the file is as it was.

    If we die before os.replace the old file stands (and a stray .tmp beside it); after it, the new one does.
    Between the last look and os.replace another program's save could still be overwritten: a window of microseconds that no
    file system without locks closes; two staff pages cannot meet there, since they share the lock.
    """
    target = path.resolve()  # a link stays a link
    raw = text.encode()
    with _saving:
        try:
            mode = stat.S_IMODE(target.stat().st_mode)
            if not mode & 0o222 or not os.access(target, os.W_OK):
                raise EditRefused(
                    f"{path.name} is read-only; allow writing to it, or edit it where it is kept"
                )
            temporary = _written(target, raw, mode)
            try:
                if take(target).digest != made_from.digest:
                    raise Conflict(
                        f"{path.name} was changed by somebody else meanwhile; nothing was written. Look at the new version and try again"
                    )
                os.replace(temporary, target)
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
        except OSError as err:
            raise EditRefused(_why(path, err)) from err
    return Snapshot.of(raw)


def _written(target: Path, raw: bytes, mode: int) -> Path:
    """`raw` in a file beside `target`, on disk before this returns."""
    with tempfile.NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", suffix=".tmp", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    temporary.chmod(mode)
    return temporary


def _why(path: Path, err: OSError) -> str:
    match err.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return f"the disk is full: {path.name} was not changed. Make room and save again"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return f"{path.name} or its folder is read-only; allow writing to it, or edit it where it is kept"
        case errno.EBUSY | errno.EXDEV:
            return f"{path.name} is mounted as a single file and cannot be replaced; mount its folder instead"
        case errno.ENOENT:
            return f"{path.name} is gone; restore it and try again"
    return f"{path.name} could not be written: {err.strerror}"
