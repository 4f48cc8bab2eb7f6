"""Blocks of options that many commands share: one definition, added where a command asks for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any


def with_options(
    function: Callable[..., None], block: Callable[..., Any], name: str
) -> Callable[..., None]:
    """Return a command that takes the options of a block, and gives what the block makes of them.

    Args:
        function: The command, which has a parameter of that name.
        block: Its parameters are the options; typer reads their annotations.
        name: The parameter of the command that gets what the block returns.
    """
    own = inspect.signature(function, eval_str=True).parameters.values()
    added = inspect.signature(block, eval_str=True).parameters

    @wraps(function)
    def command(**given: Any) -> None:
        options = {key: given.pop(key) for key in added}
        function(**given, **{name: block(**options)})

    parameters = [*(one for one in own if one.name != name), *added.values()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command
