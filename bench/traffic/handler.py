"""The benchmarks' model: returns at once, or as its environment configures."""

import itertools
import os
import time

_FAIL_EVERY = int(os.environ.get("BENCH_FAIL_EVERY", "0"))
_SLEEP_SECONDS = float(os.environ.get("BENCH_SLEEP_SECONDS", "0"))
_calls = itertools.count(1)


def predict(_value: object = None, **_arguments: object) -> int:
    """Return the number of the call in this process; optionally raise on every n-th call."""
    number = next(_calls)
    if _SLEEP_SECONDS:
        time.sleep(_SLEEP_SECONDS)
    if _FAIL_EVERY and number % _FAIL_EVERY == 0:
        raise ValueError("as asked")
    return number
