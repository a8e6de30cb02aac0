"""Errors of R as Python exceptions."""


class ConditionError(Exception):
    """Raised for an error that the user's R code signalled.

    The type of each instance is named like the class of the condition: the server answers with
    the name of the type, as it does for Python: `simpleError: the flower is blue`.
    """


class WorkerEndedError(Exception):
    """Raised when the R process ended during a call."""


def condition_error(class_name: str, message: str, trace: str) -> ConditionError:
    """Return the exception for a condition; only the log shows the trace of R's calls."""
    error: ConditionError = type(class_name, (ConditionError,), {})(message)
    if trace:
        error.add_note(f"R's calls, most recent last:\n{trace}")
    return error
