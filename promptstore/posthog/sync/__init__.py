"""Two-way sync of a store with a remote prompts API, planned before it is applied.

`plan` is a pure function of three mappings from name to digest: base, local and remote. `Sync`
finds them (the base is a commit on ``refs/promptstore/remotes/NAME``) and does the steps.
"""

from __future__ import annotations

from promptstore.posthog.sync.comparison import (
    Comparison,
    Digests,
    Step,
    SyncOptions,
    chosen,
    is_held,
    plan,
)
from promptstore.posthog.sync.engine import Report, Result, Sync
from promptstore.posthog.sync.remote import RemotePrompts, SyncRules
from promptstore.posthog.sync.state import DELETED

__all__ = [
    "DELETED",
    "Comparison",
    "Digests",
    "RemotePrompts",
    "Report",
    "Result",
    "Step",
    "Sync",
    "SyncOptions",
    "SyncRules",
    "chosen",
    "is_held",
    "plan",
]
