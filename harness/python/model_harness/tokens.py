"""Who may call: tokens from a directory with one file for each, as kubelet mounts a Secret."""

import base64
import binascii
import hashlib
import hmac
import threading
import time
from pathlib import Path

from model_harness.errors import RefusedError, StartupError
from model_harness.log import logger

LOOK_SECONDS = 1.0  # between looks at the directory; kubelet itself takes up to a minute
CHALLENGE = {"www-authenticate": 'Bearer realm="model", Basic realm="model"'}


class Tokens:
    """Knows the tokens' digests, and reads them again for as long as the process lives.

    Digests instead of the tokens: comparing then takes the same time whatever their lengths are.
    A directory without a token lets nobody in.
    """

    def __init__(self, directory: str | None) -> None:
        """None: open to everybody. Raises StartupError where the directory cannot be read."""
        self.required = directory is not None
        self._digests: frozenset[bytes] = frozenset()
        if directory is None:
            return
        self._directory = Path(directory)
        try:
            self._digests = self._read()
        except OSError as error:
            message = f"MODEL_TOKENS: cannot read {directory}: {error.strerror}"
            raise StartupError(message) from None
        threading.Thread(target=self._watch, name="tokens", daemon=True).start()

    def check(self, authorization: str | None) -> None:
        """Raise RefusedError(401) unless the header carries one of the tokens."""
        if not self.required:
            return
        if authorization is None:
            message = "a token is needed; send it as Authorization: Bearer <token>"
            raise RefusedError(401, message, headers=CHALLENGE)
        given = _digest(_token(authorization))
        known = False
        for digest in self._digests:  # all of them, that the time does not tell which one it was
            known |= hmac.compare_digest(digest, given)
        if not known:
            raise RefusedError(401, "the token is not known here", headers=CHALLENGE)

    def reload(self) -> None:
        """Look again. What cannot be read at this moment is not given up, nor is it let in."""
        try:
            found = self._read()
        except OSError as error:  # kubelet is just exchanging the files
            logger.warning("tokens cannot be read, the old ones stay: %s", error)
            return
        if found != self._digests:
            self._digests = found
            logger.info("tokens were read again: %d", len(found))

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.reload()

    def _read(self) -> frozenset[bytes]:
        # kubelet keeps its own entries beside the files, all of which begin with dots.
        paths = [path for path in self._directory.iterdir() if not path.name.startswith(".")]
        contents = [path.read_bytes().strip() for path in paths if path.is_file()]
        return frozenset(_digest(content) for content in contents if content)


def _token(authorization: str) -> bytes:
    """Return what is presented as the token; empty where the header has another form."""
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
