"""What a check goes by: the settings of the repository, its remotes, and the options of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from promptstore.lint import Settings, checked_codes, read_settings
from promptstore.store.store import PromptStore

if TYPE_CHECKING:
    from promptstore.posthog.sync.comparison import SyncRules


def settings_of(
    store: PromptStore,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
) -> Settings:
    """Read the settings of a check.

    Args:
        store: The store; the defaults count where it has no files.
        select: Codes to look for instead of those that are set.
        ignore: Codes to leave out besides.

    Returns:
        The settings.

    Raises:
        InvalidArgumentError: A setting or a code means nothing.
    """
    from promptstore.posthog.sync.settings import load_remotes  # most commands need no sync

    settings = Settings()
    if store.has_files:
        remotes = load_remotes(store.path)
        spellings = {name: _spelling(remote.rules) for name, remote in remotes.items()}
        settings = replace(read_settings(store.path), spellings=spellings)
    if select:
        chosen = checked_codes(select, "--select")
        settings = replace(settings, select=chosen, extend_select=())
    left_out = checked_codes(ignore or (), "--ignore")
    return replace(settings, ignore=(*settings.ignore, *left_out))


def _spelling(rules: SyncRules) -> Callable[[str], object]:
    """Spell the names that take part in a sync; the others need no spelling."""
    return lambda name: rules.naming.to_remote(name) if rules.takes(name) else name
