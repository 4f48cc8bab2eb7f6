"""Two-way sync of a store with a remote prompts API, planned before it is applied.

`plan` is a pure function of three mappings from name to digest; `Sync` compares both sides with
what they were at the last sync (a commit on ``refs/promptstore/remotes/NAME``) and does the steps
one by one.
"""

from __future__ import annotations

from promptstore.posthog.sync.comparison import Comparison, SyncRules
from promptstore.posthog.sync.engine import Report, Result, Sync, SyncOptions, chosen, is_held
from promptstore.posthog.sync.naming import NameRule
from promptstore.posthog.sync.planning import DELETED, Digests, Step, plan
from promptstore.posthog.sync.sides import Person, Remote, Row

__all__ = [
    "DELETED",
    "Comparison",
    "Digests",
    "NameRule",
    "Person",
    "Remote",
    "Report",
    "Result",
    "Row",
    "Step",
    "Sync",
    "SyncOptions",
    "SyncRules",
    "chosen",
    "is_held",
    "plan",
]
