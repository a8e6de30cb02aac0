"""Echo, version 1: what comes in goes out; the smallest model there is."""


def predict(value: object) -> object:
    """Return `value`."""
    return value
