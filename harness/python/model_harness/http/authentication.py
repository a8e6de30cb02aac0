"""Authenticate requests by tokens in a directory, one file each, as kubelet mounts a Secret."""

import base64
import binascii
import hashlib
import hmac
import threading
import time
from pathlib import Path

from model_harness.errors import RequestError, StartupError
from model_harness.observability.log import logger

RELOAD_SECONDS = 1.0  # kubelet takes up to a minute to update the directory
WWW_AUTHENTICATE = {"www-authenticate": 'Bearer realm="model", Basic realm="model"'}


class TokenAuthenticator:
    """Compares tokens by their digests and reloads them for the lifetime of the process.

    The comparison of digests takes the same time for tokens of any length. An empty directory
    allows no request.
    """

    def __init__(self, directory: str | None) -> None:
        """Load the tokens; None requires none. Raise StartupError for an unreadable directory."""
        self.is_required = directory is not None
        self._digests: frozenset[bytes] = frozenset()
        if directory is None:
            return
        self._directory = Path(directory)
        try:
            self._digests = self._load()
        except OSError as error:
            message = f"MODEL_TOKENS: cannot read {directory}: {error.strerror}"
            raise StartupError(message) from None
        threading.Thread(target=self._reload_forever, name="tokens", daemon=True).start()

    def check(self, authorization: str | None) -> None:
        """Raise RequestError(401) unless the header carries a valid token."""
        if not self.is_required:
            return
        if authorization is None:
            message = "a token is required; send it as Authorization: Bearer <token>"
            raise RequestError(401, message, headers=WWW_AUTHENTICATE)
        presented = _digest(_token(authorization))
        is_valid = False
        for digest in self._digests:  # no early exit: the time must not depend on the match
            is_valid |= hmac.compare_digest(digest, presented)
        if not is_valid:
            raise RequestError(401, "the token is not valid", headers=WWW_AUTHENTICATE)

    def reload(self) -> None:
        """Load the tokens again. Keep the current ones where the directory is unreadable."""
        try:
            digests = self._load()
        except OSError as error:  # kubelet is replacing the files
            logger.warning("cannot read tokens, keeping the current ones: %s", error)
            return
        if digests != self._digests:
            self._digests = digests
            logger.info("tokens reloaded: %d", len(digests))

    def _reload_forever(self) -> None:
        while True:
            time.sleep(RELOAD_SECONDS)
            self.reload()

    def _load(self) -> frozenset[bytes]:
        # Names of kubelet's internal entries begin with a dot.
        paths = [path for path in self._directory.iterdir() if not path.name.startswith(".")]
        contents = [path.read_bytes().strip() for path in paths if path.is_file()]
        return frozenset(_digest(content) for content in contents if content)


def _token(authorization: str) -> bytes:
    """Return the token of the header; empty where the header is malformed."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    match scheme.lower():
        case "bearer":
            return value.encode(errors="surrogateescape")
        case "basic":
            try:
                user, _, password = base64.b64decode(value, validate=True).partition(b":")
            except (binascii.Error, ValueError):
                return b""
            return user if hmac.compare_digest(user, password) else b""
        case _:
            return b""


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
