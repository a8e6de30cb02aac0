"""Errors that the watcher distinguishes."""


class WatcherError(Exception):
    """Base class of all errors of the watcher."""


class StartupError(WatcherError):
    """Raised when the settings are invalid; the message is for the person who deploys it."""


class FatalError(WatcherError):
    """Raised when a retry cannot help; the process exits and prints the message."""


class ApiError(WatcherError):
    """Raised when a request to the API server fails; `status` is 0 without a response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def history_expired(self) -> bool:
        """Whether the API server cannot serve the requested resourceVersion."""
        return self.status in (400, 410, 504)


class ConflictError(ApiError):
    """Raised when the object already exists or its resourceVersion has changed."""


class BrokerUnavailableError(WatcherError):
    """Raised when the broker does not confirm an event; the event stays pending."""
