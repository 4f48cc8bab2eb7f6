"""Both sides of a conflict, shown to a person."""

from __future__ import annotations

import difflib
import json
from typing import Any

from promptstore.model.values import thaw
from promptstore.posthog.sync.comparison import Comparison
from promptstore.posthog.sync.encoding import Wire, read_messages
from promptstore.posthog.sync.sides import AnyRow


def side_by_side(comparison: Comparison[AnyRow], name: str) -> str:
    """Show what differs between git and the remote, as a unified diff of their lines."""
    local, seen = comparison.local.get(name), comparison.remote.get(name)
    is_alive = local is not None and not local.prompt.deleted
    here = _lines(local.wire) if local is not None and is_alive else []
    there = _lines(seen.wire) if seen is not None else []
    return "\n".join(difflib.unified_diff(here, there, "git", "remote", lineterm=""))


def _lines(wire: Wire) -> list[str]:
    content: Any = read_messages(wire.text)
    text = wire.text if content is None else json.dumps(content, ensure_ascii=False, indent=2)
    config = json.dumps(thaw(wire.config), ensure_ascii=False, sort_keys=True)
    return [*text.splitlines(), *([f"config: {config}"] if wire.config else [])]
