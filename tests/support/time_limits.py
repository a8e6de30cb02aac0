"""Limits of elapsed time, and one factor by which slow machines raise all of them."""

import os

FACTOR = float(os.environ.get("TEST_TIME_FACTOR", "1"))


def at_most(seconds: float) -> float:
    """Return an upper bound in seconds, multiplied by `TEST_TIME_FACTOR`.

    Lower bounds, which show that something did wait, are not multiplied.
    """
    return seconds * FACTOR
