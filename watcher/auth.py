"""Check the token of a status request: `Bearer <token>`, or Basic with the token as both parts.

Basic is for browsers, which prompt for it. The models use the same rule.
"""

import hmac

import aiohttp


class StatusAuth:
    """Authorize requests by one token; an empty token makes the status public."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def is_authorized(self, authorization: str | None) -> bool:
        """Return whether an `Authorization` header has the token; compare in constant time."""
        if not self._token:
            return True
        header = authorization or ""
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "basic":
            try:
                basic = aiohttp.BasicAuth.decode(header, encoding="utf-8")
            except ValueError:
                return False
            return self._is_token(basic.login) & self._is_token(basic.password)
        return self._is_token(credentials.strip()) and scheme.lower() == "bearer"

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(errors="surrogateescape"), self._token)
