"""What goes wrong in R, as exceptions."""


class ConditionError(Exception):
    """An error that the user's R code signalled.

    Each one raised is of a type named like the condition's class, since the front answers with the
    type's name, as it does for Python's own: `simpleError: the flower is blue`.
    """


class WorkerEndedError(Exception):
    """The R process ended in the middle of a call."""


def condition(kind: str, message: str, trace: str) -> ConditionError:
    """Return the error; the trace of R's calls is for the log only."""
    error: ConditionError = type(kind, (ConditionError,), {})(message)
    if trace:
        error.add_note(f"R's calls, the last one last:\n{trace}")
    return error
