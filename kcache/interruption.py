"""Whether an exception was raised by a signal's handler, which runs between any two steps of ours.

A handler may raise what a socket or a parser raises, too: TimeoutError, ValueError. Whoever catches
such a thing because it has a meaning there must let the handler's pass.
"""

from __future__ import annotations

from functools import partial
from signal import getsignal, valid_signals
from types import CodeType
from typing import Any

__all__ = ["is_of_handler"]


def is_of_handler(error: BaseException) -> bool:
    """Whether it came out of a signal's handler.

    Costs next to nothing where the exception was raised in the frame that caught it.
    """
    traceback = error.__traceback__
    if traceback is None or traceback.tb_next is None:
        return False
    handlers = {_code_of(getsignal(number)) for number in valid_signals()} - {None}
    while traceback is not None:
        if traceback.tb_frame.f_code in handlers:
            return True
        traceback = traceback.tb_next
    return False


def _code_of(handler: Any) -> CodeType | None:
    """The code of a function, a method, a `partial`, or an object that can be called."""
    while isinstance(handler, partial):
        handler = handler.func
    kind = type(handler)
    code: CodeType | None = getattr(handler, "__code__", None) or getattr(
        vars(kind).get("__call__"), "__code__", None
    )
    return code
