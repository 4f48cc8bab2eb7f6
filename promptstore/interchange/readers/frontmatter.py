"""Text with YAML before it, between two lines of dashes."""

from __future__ import annotations

import re
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.promptfile.foreign import YamlRules, read_foreign_yaml

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def split_front_matter(text: str, rules: YamlRules) -> tuple[dict[str, Any], str, list[str]]:
    """Split a file into what stands before its body, and the body.

    Args:
        text: The whole file.
        rules: How its YAML is read.

    Returns:
        The front matter (empty where there is none), the body, and what was lost in reading.

    Raises:
        ImportRefusedError: The front matter is not YAML, or no mapping.
    """
    found = _FRONT.match(text)
    if not found:
        return {}, text, []
    front = read_foreign_yaml(found[1], rules)
    if not isinstance(front.value, (dict, type(None))):
        raise ImportRefusedError(reason="its front matter is no mapping")
    return front.value or {}, text[found.end() :], front.losses
