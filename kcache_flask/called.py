"""A view that was called, and what may be kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException

from kcache_flask.answer import Described, described, is_whole, joined_header, raw
from kcache_flask.conditions import Conditions, joined_if_generator
from kcache_flask.fetch import Unkept
from kcache_flask.http import Answered, Asked, Rules, refusal
from kcache_flask.role import Role

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

__all__ = ["Called", "Invocation", "call_view", "kept_of"]

_FAILURE = 500


class Invocation(NamedTuple):
    """A call of a decorated function.

    Attributes:
        function: that is called.
        args: positional arguments.
        kwargs: keyword arguments.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self) -> Any:
        """Make the call."""
        return self.function(*self.args, **self.kwargs)


@dataclass(frozen=True, eq=False)
class Called:
    """What came of a call of a view.

    Attributes:
        result: what it gave; the exception, if it aborted.
        error: the exception that it raised; None if none.
        response: that Flask makes of it; None if there is none, because the view failed, or because
            decorators around it make something else of its result.
    """

    result: Any
    error: Exception | None
    response: Response | None


def call_view(app: Flask, call: Invocation, environ: dict[str, Any], role: Role) -> Called:
    """Call a view. Whatever it raises is a part of what is given."""
    result = None
    try:
        result = joined_if_generator(call.run(), mixed=role is not Role.UNKNOWN)
        if role is Role.VIEW:
            return Called(result, None, app.make_response(result))
    except HTTPException as error:
        return Called(error, error, error.get_response(environ))
    except Exception as error:  # noqa: BLE001 - it is raised where the view's caller is
        return Called(None, error, None)
    try:
        return Called(result, None, app.make_response(result))
    except Exception:  # noqa: BLE001 - it is up to the decorators around it
        return Called(result, None, None)


def kept_of(
    called: Called, conditions: Conditions, rules: Rules, asked: Asked, role: Role
) -> Described:
    """What is stored of a view's answer.

    Raises:
        Unkept: nothing is.
    """
    response = called.response
    if response is None and called.error is not None:
        raise Unkept("the view failed", is_failure=True) from called.error
    is_failure = response is not None and response.status_code >= _FAILURE
    shown = called.result if called.error is None else response
    if not conditions.keeps(shown):
        raise Unkept("response_filter", is_failure=is_failure)
    reason = refusal(rules, asked, _answered(response))
    if reason is not None:
        raise Unkept(reason, is_failure=is_failure)
    if response is None:
        if role is not Role.UNKNOWN:
            raise Unkept("no response")
        return raw(called.result)
    if role is not Role.VIEW and not response.is_sequence and not _holds(called.result, response):
        # To read it here would take it from those who are to read it.
        raise Unkept("a stream")
    is_stream = not response.is_sequence
    if not is_whole(response):
        raise Unkept("a stream")
    if is_stream:
        # It may have read the session in the meantime.
        reason = refusal(rules, asked, _answered(response))
        if reason is not None:
            raise Unkept(reason, is_failure=is_failure)
    return described(called.result, response)


def _answered(response: Response | None) -> Answered:
    # Not the property: to ask it is to read the session.
    session = vars(request_ctx).get("_session", None)
    uses_session = bool(getattr(session, "accessed", False) or getattr(session, "modified", False))
    if response is None:
        return Answered(200, None, None, sets_cookie=False, uses_session=uses_session)
    return Answered(
        response.status_code,
        joined_header(response, "Cache-Control"),
        joined_header(response, "Vary"),
        "Set-Cookie" in response.headers,
        uses_session,
    )


def _holds(result: Any, response: Response) -> bool:
    """Whether a result is this response, or has it in a tuple."""
    return result is response or (isinstance(result, tuple) and response in result[:1])
