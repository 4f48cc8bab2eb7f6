"""When two plain values are the same JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def equal_as_json(one: Any, other: Any) -> bool:
    """Return whether two plain values are the same JSON: true is not 1, and 1 is not 1.0.

    The order of the keys of an object does not count, as for JSON.
    """
    return one is other or as_key(one) == as_key(other)


def as_key(value: Any) -> str:
    """Return a string that two plain values share when they are the same JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
