"""The one error that reaches a person as a sentence instead of a traceback."""


class GroundError(Exception):
    """Something on this machine stands in the way; says what was found and what to do."""

    def __init__(self, found: str, do: str) -> None:
        super().__init__(f"{found}\n  -> {do}")
