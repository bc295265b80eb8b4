"""A view that was called, and what may be kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from werkzeug.exceptions import HTTPException

from kcache_flask.answer import Described, answered, described, is_whole
from kcache_flask.conditions import Conditions, joined_if_generator
from kcache_flask.fetch import Unkept
from kcache_flask.http import Asked, Rules, refusal

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
        response: that Flask makes of it; None if there is none, because the view failed.
    """

    result: Any
    error: Exception | None
    response: Response | None


def call_view(app: Flask, run: Callable[[], Any], environ: dict[str, Any]) -> Called:
    """Call a view. Whatever it raises is a part of what is given."""
    try:
        result = joined_if_generator(run())
        return Called(result, None, app.make_response(result))
    except HTTPException as error:
        return Called(error, error, error.get_response(environ))
    except Exception as error:  # noqa: BLE001 - it is raised where the view's caller is
        return Called(None, error, None)


def kept_of(called: Called, conditions: Conditions, rules: Rules, asked: Asked) -> Described:
    """What is stored of a view's answer.

    Raises:
        Unkept: nothing is.
    """
    response = called.response
    if response is None:
        raise Unkept(type(called.error).__name__, is_failure=True) from called.error
    is_failure = response.status_code >= _FAILURE
    if not conditions.keeps(called.result if called.error is None else response):
        raise Unkept("response_filter", is_failure=is_failure)
    reason = refusal(rules, asked, answered(response))
    if reason is not None:
        raise Unkept(reason, is_failure=is_failure)
    if not is_whole(response):
        raise Unkept("a stream")
    return described(called.result, response)
