"""Request ids: 16 characters of A-Z0-9."""

import itertools
import re
import secrets
import string

ALPHABET = string.ascii_uppercase + string.digits
PATTERN = re.compile(r"[A-Z0-9]{16}")
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
_BASE = len(_PAIRS)


class RequestIds:
    """Generates ids that are unique among all processes, much faster than random ones.

    Eight random characters identify the process, eight count from a random start. The ids
    correlate log lines; they are not secrets.
    """

    def __init__(self) -> None:
        self._process = "".join(secrets.choice(ALPHABET) for _ in range(8))
        self._count = itertools.count(secrets.randbelow(_BASE**4))
        self._block = (-1, "")  # (upper part of the number, prefix that 1,296 ids share)

    def new(self) -> str:
        """Return the next id."""
        upper, low = divmod(next(self._count), _BASE)
        number, prefix = self._block
        if number != upper:
            prefix = self._prefix(upper)
            self._block = (upper, prefix)
        return prefix + _PAIRS[low]

    def accept_or_new(self, client_id: str | None) -> str:
        """Return the id of the client where it is valid, otherwise a new one.

        An invalid id is not echoed: it would end up in logs and headers.
        """
        if client_id is not None and PATTERN.fullmatch(client_id):
            return client_id
        return self.new()

    def _prefix(self, upper: int) -> str:
        upper, second = divmod(upper, _BASE)
        upper, third = divmod(upper, _BASE)
        return self._process + _PAIRS[upper % _BASE] + _PAIRS[third] + _PAIRS[second]
