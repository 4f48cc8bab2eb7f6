"""LLM prompts as YAML files in a git repository: get, list, render and review them.

::

    from promptstore import PromptStore

    store = PromptStore.open(".")
    store.render("support/reply", {"ticket": "It broke."}).messages

Each public name is loaded when it is first used, so that importing the package costs nothing. The
exceptions are in `promptstore.errors`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing would double the time
if TYPE_CHECKING:
    from typing import Any

    from promptstore.errors import PromptStoreError as PromptStoreError
    from promptstore.formatters import TextRepr as TextRepr
    from promptstore.formatters import TextReprMetadata as TextReprMetadata
    from promptstore.formatters import TextReprOptions as TextReprOptions
    from promptstore.formatters import text_repr as text_repr
    from promptstore.history.labels import LabelMove as LabelMove
    from promptstore.model.parts import Insert as Insert
    from promptstore.model.parts import Message as Message
    from promptstore.model.prompt import Prompt as Prompt
    from promptstore.model.rendering import RenderedPrompt as RenderedPrompt
    from promptstore.model.variables import Variable as Variable
    from promptstore.model.versions import PromptInfo as PromptInfo
    from promptstore.model.versions import Version as Version
    from promptstore.store.asyncstore import AsyncPromptStore as AsyncPromptStore
    from promptstore.store.edits import Deletion as Deletion
    from promptstore.store.edits import Restoration as Restoration
    from promptstore.store.snapshot import Snapshot as Snapshot
    from promptstore.store.store import PromptStore as PromptStore
    from promptstore.template import Limits as Limits

__version__ = "0.1.0"

_HOME_OF = {
    "AsyncPromptStore": "promptstore.store.asyncstore",
    "Deletion": "promptstore.store.edits",
    "Insert": "promptstore.model.parts",
    "LabelMove": "promptstore.history.labels",
    "Limits": "promptstore.template",
    "Message": "promptstore.model.parts",
    "Prompt": "promptstore.model.prompt",
    "PromptInfo": "promptstore.model.versions",
    "PromptStore": "promptstore.store.store",
    "PromptStoreError": "promptstore.errors",
    "RenderedPrompt": "promptstore.model.rendering",
    "Restoration": "promptstore.store.edits",
    "Snapshot": "promptstore.store.snapshot",
    "TextRepr": "promptstore.formatters",
    "TextReprMetadata": "promptstore.formatters",
    "TextReprOptions": "promptstore.formatters",
    "Variable": "promptstore.model.variables",
    "Version": "promptstore.model.versions",
    "text_repr": "promptstore.formatters",
}

__all__ = sorted([*_HOME_OF, "__version__"])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        hint = "; exceptions are in promptstore.errors" if name.endswith("Error") else ""
        raise AttributeError(f"module 'promptstore' has no attribute {name!r}{hint}")
    from importlib import import_module  # which takes as long as everything else in this file

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
