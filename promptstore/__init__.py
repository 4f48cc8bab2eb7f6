"""LLM prompts as YAML files in a git repository: get, list, render and review them.

::

    from promptstore import PromptStore

    store = PromptStore.open(".")
    store.render("support/reply", {"ticket": "It broke."}).messages

Each public name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing would double the time
if TYPE_CHECKING:
    from typing import Any

    from promptstore.errors import ConflictError as ConflictError
    from promptstore.errors import EventError as EventError
    from promptstore.errors import ForgeError as ForgeError
    from promptstore.errors import HistoryUnavailableError as HistoryUnavailableError
    from promptstore.errors import IncludeError as IncludeError
    from promptstore.errors import InvalidArgumentError as InvalidArgumentError
    from promptstore.errors import InvalidNameError as InvalidNameError
    from promptstore.errors import LabelNotFoundError as LabelNotFoundError
    from promptstore.errors import LimitError as LimitError
    from promptstore.errors import MassDeletionError as MassDeletionError
    from promptstore.errors import MissingExtraError as MissingExtraError
    from promptstore.errors import NotFoundError as NotFoundError
    from promptstore.errors import Problem as Problem
    from promptstore.errors import PromptDeletedError as PromptDeletedError
    from promptstore.errors import PromptFileError as PromptFileError
    from promptstore.errors import PromptNotFoundError as PromptNotFoundError
    from promptstore.errors import PromptStoreError as PromptStoreError
    from promptstore.errors import ReadOnlyError as ReadOnlyError
    from promptstore.errors import RemoteAnswerError as RemoteAnswerError
    from promptstore.errors import RemoteConflictError as RemoteConflictError
    from promptstore.errors import RemoteError as RemoteError
    from promptstore.errors import RemoteKeyError as RemoteKeyError
    from promptstore.errors import RemoteNotFoundError as RemoteNotFoundError
    from promptstore.errors import RemotePermissionError as RemotePermissionError
    from promptstore.errors import RemoteRejectedError as RemoteRejectedError
    from promptstore.errors import RemoteServerError as RemoteServerError
    from promptstore.errors import RemoteThrottledError as RemoteThrottledError
    from promptstore.errors import RemoteUnreachableError as RemoteUnreachableError
    from promptstore.errors import RenderError as RenderError
    from promptstore.errors import RepositoryError as RepositoryError
    from promptstore.errors import RepositoryLockedError as RepositoryLockedError
    from promptstore.errors import RepositoryNotFoundError as RepositoryNotFoundError
    from promptstore.errors import RevisionNotFoundError as RevisionNotFoundError
    from promptstore.errors import SyncRefusedError as SyncRefusedError
    from promptstore.errors import TemplateError as TemplateError
    from promptstore.errors import TemplateSyntaxError as TemplateSyntaxError
    from promptstore.errors import UnsupportedRepositoryError as UnsupportedRepositoryError
    from promptstore.errors import VariableError as VariableError
    from promptstore.errors import VersionNotFoundError as VersionNotFoundError
    from promptstore.formatters import TextRepr as TextRepr
    from promptstore.formatters import TextReprMetadata as TextReprMetadata
    from promptstore.formatters import TextReprOptions as TextReprOptions
    from promptstore.formatters import text_repr as text_repr
    from promptstore.history.labels import LabelMove as LabelMove
    from promptstore.model.messages import Insert as Insert
    from promptstore.model.messages import Message as Message
    from promptstore.model.prompt import Prompt as Prompt
    from promptstore.model.rendering import RenderedPrompt as RenderedPrompt
    from promptstore.model.variables import Variable as Variable
    from promptstore.model.versions import PromptInfo as PromptInfo
    from promptstore.model.versions import Version as Version
    from promptstore.store.edits import Deletion as Deletion
    from promptstore.store.edits import Restoration as Restoration
    from promptstore.store.snapshot import Snapshot as Snapshot
    from promptstore.store.store import PromptStore as PromptStore
    from promptstore.template import Limits as Limits

__version__ = "0.1.0"

_HOMES = {
    "promptstore.store.edits": ("Deletion", "Restoration"),
    "promptstore.errors": (
        "ConflictError",
        "EventError",
        "ForgeError",
        "HistoryUnavailableError",
        "IncludeError",
        "InvalidArgumentError",
        "InvalidNameError",
        "LabelNotFoundError",
        "LimitError",
        "MassDeletionError",
        "MissingExtraError",
        "NotFoundError",
        "Problem",
        "PromptDeletedError",
        "PromptFileError",
        "PromptNotFoundError",
        "PromptStoreError",
        "ReadOnlyError",
        "RemoteAnswerError",
        "RemoteConflictError",
        "RemoteError",
        "RemoteKeyError",
        "RemoteNotFoundError",
        "RemotePermissionError",
        "RemoteRejectedError",
        "RemoteServerError",
        "RemoteThrottledError",
        "RemoteUnreachableError",
        "RenderError",
        "RepositoryError",
        "RepositoryLockedError",
        "RepositoryNotFoundError",
        "RevisionNotFoundError",
        "SyncRefusedError",
        "TemplateError",
        "TemplateSyntaxError",
        "UnsupportedRepositoryError",
        "VariableError",
        "VersionNotFoundError",
    ),
    "promptstore.history.labels": ("LabelMove",),
    "promptstore.formatters": ("TextRepr", "TextReprMetadata", "TextReprOptions", "text_repr"),
    "promptstore.model.messages": ("Insert", "Message"),
    "promptstore.model.prompt": ("Prompt",),
    "promptstore.model.versions": ("PromptInfo", "Version"),
    "promptstore.model.rendering": ("RenderedPrompt",),
    "promptstore.store.snapshot": ("Snapshot",),
    "promptstore.store.store": ("PromptStore",),
    "promptstore.template": ("Limits",),
    "promptstore.model.variables": ("Variable",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'promptstore' has no attribute {name!r}")
    from importlib import import_module  # which takes as long as everything else in this file

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
