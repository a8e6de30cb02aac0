"""Whether a request may see the status: `Bearer <token>`, or Basic with the token twice.

Basic is for browsers, which ask for it themselves; the same as models do.
"""

import base64
import binascii
import hmac


class Access:
    """Open without a token."""

    def __init__(self, token: str) -> None:
        """`token` as the stack sets it; empty: open."""
        self._token = token.encode()
        self.open = not token

    def allows(self, authorization: str | None) -> bool:
        """Whether a header `Authorization` will do; compared in constant time."""
        if self.open:
            return True
        scheme, _, rest = (authorization or "").partition(" ")
        shown = rest.strip().encode()
        if scheme.lower() == "basic":
            user, password = _pair(shown)
            return hmac.compare_digest(user, self._token) & hmac.compare_digest(
                password, self._token
            )
        return hmac.compare_digest(shown, self._token) and scheme.lower() == "bearer"


def _pair(encoded: bytes) -> tuple[bytes, bytes]:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return user, password
