"""Request ids: 16 characters of A-Z0-9."""

import itertools
import re
import secrets
import string

ALPHABET = string.ascii_uppercase + string.digits
HARNESS_ID = "MODELHARNESSASKS"  # of its own questions to its front, which no metric counts
PATTERN = re.compile(r"[A-Z0-9]{16}")


class RequestIds:
    """Makes ids that are unique among all processes, at a small part of what random ones cost.

    Eight random characters name the process, eight count from a random start. They are labels
    to find a request in the log, not secrets.
    """

    _PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
    _BASE = len(_PAIRS)

    def __init__(self) -> None:
        """Each process makes its own."""
        self._process = "".join(secrets.choice(ALPHABET) for _ in range(8))
        self._count = itertools.count(secrets.randbelow(self._BASE**4))
        self._block = (-1, "")  # a number's upper part, and the id's: 1,296 ids have them in common

    def new(self) -> str:
        """Return the next id."""
        upper, low = divmod(next(self._count), self._BASE)
        number, prefix = self._block
        if number != upper:
            prefix = self._prefix(upper)
            self._block = (upper, prefix)
        return prefix + self._PAIRS[low]

    def _prefix(self, upper: int) -> str:
        pairs, base = self._PAIRS, self._BASE
        upper, second = divmod(upper, base)
        upper, third = divmod(upper, base)
        return self._process + pairs[upper % base] + pairs[third] + pairs[second]

    def of(self, given: str | None) -> str:
        """Return the client's id where it is one, that it may follow its request; else a new one.

        Anything else is not echoed: it would stand in logs and headers.
        """
        if given is not None and PATTERN.fullmatch(given):
            return given
        return self.new()
