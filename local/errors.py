"""The error that the command line prints without a traceback."""


class SetupError(Exception):
    """The machine, a tool or a cluster is not ready; states the problem and a remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  -> {remedy}")
