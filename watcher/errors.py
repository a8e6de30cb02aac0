"""What goes wrong, as the rest of the program tells it apart."""


class WatcherError(Exception):
    """Base of this program's own errors."""


class StartupError(WatcherError):
    """The settings are wrong; the message is for whoever deploys the watcher."""


class FatalError(WatcherError):
    """Cannot be mended by trying again; ends the process with its sentence."""


class ApiError(WatcherError):
    """The API server did not answer, or with `status` (0: no answer at all)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def gone(self) -> bool:
        """Whether the history that was asked for is over: compacted, or from another life."""
        return self.status in (400, 410, 504)


class ConflictError(ApiError):
    """Somebody else wrote the object first, or has made it already."""


class BrokerAwayError(WatcherError):
    """The broker has not confirmed; the event stays pending and is tried again."""
