"""What a button carries over a platform that hands it back from the outside: the action, signed for one chat.

Nothing is kept, so buttons of last month still work after any restart, and a forged or copied one does not.
"""

import base64
import hashlib
import hmac

ACTION_BYTES = 48
_MAC_BYTES = 10  # 80 bits: 14 characters, so that both fit into Telegram's 64 bytes
_MAC_LENGTH = 14


class CallbackSigner:
    """Signs actions with a key derived from the data key."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.new(key, b"smileline callback data 1", hashlib.sha256).digest()

    def sign(self, action: str, chat: str) -> str:
        """`action` as callback data of at most 62 ASCII bytes. Raises ValueError for an action that is too long."""
        if not action or not action.isascii() or len(action) > ACTION_BYTES:
            raise ValueError(
                f'"{action[:60]}" is no action: 1 to {ACTION_BYTES} ASCII characters are allowed'
            )
        return self._mac(action, chat) + action

    def open(self, data: str, chat: str) -> str | None:
        """The action again, or None when this data was not made by us for this chat."""
        mac, action = data[:_MAC_LENGTH], data[_MAC_LENGTH:]
        if not action or not data.isascii():
            return None
        return action if hmac.compare_digest(mac, self._mac(action, chat)) else None

    def _mac(self, action: str, chat: str) -> str:
        digest = hmac.new(self._key, f"{chat}\x1f{action}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:_MAC_BYTES]).decode().rstrip("=")
