"""Responses that say themselves how long they are kept."""

# Annotations are objects here, for those who inspect them.
from flask import Response

from kcache_flask.timeouts import Timeout, seconds_of

__all__ = ["CachedResponse"]


class CachedResponse(Response):
    """A response with a timeout of its own, for a view that is `cached`.

    Args:
        response: whose status, headers and body it has.
        timeout: seconds, or a timedelta; None and 0 leave it to the decorator.

    Example:
        >>> from flask import Flask, make_response
        >>> with Flask("shop").test_request_context():
        ...     CachedResponse(make_response("soup"), timeout=60).timeout
        60.0
    """

    timeout: float | None

    def __init__(self, response: Response, timeout: Timeout) -> None:
        # It takes the place of that response, whatever is in there.
        self.__dict__ = response.__dict__
        self.timeout = seconds_of(timeout, None) if timeout else None
