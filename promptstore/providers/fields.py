"""An object whose keys are taken one by one, so that none is left out unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from promptstore.errors import ProviderError

_NOTHING: Final[tuple[Any, ...]] = (None, [], {})
"""What an SDK writes for keys that say nothing."""


class Fields:
    """An object whose keys are taken one by one.

    Args:
        provider: The vendor's API as people call it, for errors.
        value: The object.
        path: Where it stands, such as ``messages[0].content[1]``.

    Raises:
        ProviderError: It is no object.
    """

    def __init__(self, provider: str, value: Any, path: str) -> None:
        self.provider = provider
        self.path = path
        if not isinstance(value, Mapping):
            raise self.error("needs an object here")
        self._left = {key: item for key, item in value.items() if item not in _NOTHING}

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def error(self, reason: str, key: str | None = None) -> ProviderError:
        """Make the error about the object, or about a key of it."""
        path = self.path if key is None else f"{self.path}.{key}"
        return ProviderError(provider=self.provider, path=path, reason=reason)

    def take(self, key: str) -> Any:
        """Take a value, or None where there is none."""
        return self._left.pop(key, None)

    def string(self, key: str) -> str | None:
        """Take a string, or None where there is none.

        Raises:
            ProviderError: It is no string.
        """
        value = self.take(key)
        if value is None or isinstance(value, str):
            return value
        raise self.error("needs a string here", key)

    def require(self, key: str) -> str:
        """Take a string that must be there.

        Raises:
            ProviderError: It is missing or no string.
        """
        value = self.string(key)
        if value is None:
            raise self.error(f"needs the key `{key}` here")
        return value

    def inner(self, key: str) -> Fields:
        """Take an object.

        Raises:
            ProviderError: It is missing or no object.
        """
        return Fields(self.provider, self.take(key), f"{self.path}.{key}")

    def items(self, key: str) -> list[tuple[Any, str]]:
        """Take a list, as pairs of an item and its path.

        Raises:
            ProviderError: It is no list.
        """
        value = self.take(key) or ()
        if not isinstance(value, list | tuple):
            raise self.error("needs a list here", key)
        return [(item, f"{self.path}.{key}[{index}]") for index, item in enumerate(value)]

    def finish(self, own: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Refuse what nobody took.

        Args:
            own: Keys that the vendor takes as they are.

        Returns:
            What is left under these keys.

        Raises:
            ProviderError: Something else is left.
        """
        for key in self._left:
            if key not in own:
                raise self.error(f"has no place for `{key}`; leave it out", key)
        return self._left
