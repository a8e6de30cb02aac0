"""The functions that the golden cases call. Another language's file has the same ones."""

import time


def add(a, b):
    """Return the sum."""
    return a + b


def greet(name, greeting="Hello"):
    """Return a text; the second argument has a default."""
    return f"{greeting}, {name}"


def rest(first, **others):
    """Return the names that no parameter has, sorted."""
    return {"first": first, "others": sorted(others)}


def echo(value):
    """Return what came in."""
    return value


def nothing():
    """Take and return nothing."""


def not_numbers():
    """Return what JSON has no number for."""
    return [float("nan"), float("inf"), 1.5]


def fail(message):
    """Fail as the user's code does."""
    raise ValueError(message)


def wait(seconds):
    """Return after a while."""
    time.sleep(seconds)
    return seconds
