"""Personal data at rest: AES-256-GCM for what must be read again, HMAC-SHA256 for what must only be found
again.

The key is 32 bytes, written as URL-safe base64 (`openssl rand -base64 32` or the file that `load_key` makes).
"""

import base64
import binascii
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
_VERSION = b"\x01"  # first byte of every sealed value, so that a later scheme can be told apart


class WrongKeyError(Exception):
    """The data key cannot be used. The message says what to do and never holds the key."""


def load_key(settings_value: str | None, data_dir: Path) -> bytes:
    """The data key: the setting if there is one, else `data_dir`/data.key, which is made on first use with
    mode 0600.

    Raises WrongKeyError.
    """
    if settings_value:
        return _decode(settings_value, "SMILELINE_DATA_KEY")
    path = data_dir / "data.key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return _decode(path.read_text(encoding="ascii").strip(), str(path)) if path.exists() else _make(path)
    except (OSError, UnicodeDecodeError) as err:
        advice = "give its folder to the bot's user"
        raise WrongKeyError(f"{path} cannot be read or made ({err}); {advice}") from err


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongKeyError(
            f"{where} is not a key: 32 bytes in base64 are wanted, such as `openssl rand -base64 32` prints"
        )
    return key


def _make(path: Path) -> bytes:
    """Two processes may start at once: each writes its own draft, the link that comes first is the key for
    both.

    If we die before the link, a draft is left and the next start makes another; the key is on disk before it
    is used.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, base64.urlsafe_b64encode(os.urandom(KEY_BYTES)) + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return _decode(path.read_text(encoding="ascii").strip(), str(path))


class Vault:
    """Seals and opens values with keys derived from the data key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise WrongKeyError(f"the data key has {len(key)} bytes; {KEY_BYTES} are wanted")
        self._cipher = AESGCM(_derive(key, b"smileline seal 1"))
        self._mac_key = _derive(key, b"smileline look-up 1")

    def seal(self, text: str, place: str) -> bytes:
        """`text` encrypted; `place` ("table.column") is bound to it: a value cannot be moved elsewhere."""
        return self.seal_bytes(text.encode(), place)

    def seal_bytes(self, data: bytes, place: str) -> bytes:
        """The same for what is no text."""
        nonce = os.urandom(NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, data, place.encode())

    def unseal(self, sealed: bytes, place: str) -> str:
        """The text again. Raises WrongKeyError when the key is another one or the value was changed."""
        return self.unseal_bytes(sealed, place).decode()

    def unseal_bytes(self, sealed: bytes, place: str) -> bytes:
        """The same for what is no text. Raises WrongKeyError."""
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, place.encode())
        except InvalidTag:
            raise WrongKeyError(
                f"{place} cannot be opened: the data key is not the one it was written with"
            ) from None

    def mac(self, *parts: str) -> bytes:
        """What `parts` are found by: the same every time, worthless without the key."""
        return hmac.digest(self._mac_key, "\x1f".join(parts).encode(), "sha256")


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(key)
