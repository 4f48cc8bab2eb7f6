"""Any YAML or JSON → plain values, read as strictly as a prompt file."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from promptstore.errors import PromptFileError
from promptstore.promptfile import codes
from promptstore.promptfile.problems import YamlError
from promptstore.promptfile.reader import read_yaml


def parse_yaml(data: bytes | str, path: str = "<yaml>") -> Any:
    """Read any YAML or JSON as strictly as a prompt file.

    Args:
        data: The content.
        path: Where it is from, for errors.

    Returns:
        The plain value.

    Raises:
        PromptFileError: With every problem; of more than 100 the first.
    """
    try:
        tree = read_yaml(data)
    except YamlError as error:
        is_syntax = error.problems[0].code == codes.SYNTAX
        if is_syntax and (value := _json_of(data)) is not None:
            return value
        raise PromptFileError(path=path, problems=error.problems) from None
    if tree.problems:
        raise PromptFileError(path=path, problems=tree.problems)
    return tree.value


def _json_of(data: bytes | str) -> Any:
    """Read JSON with escapes that YAML does not have, such as those of an emoji in two halves.

    Returns:
        The value, or None where this is no JSON, or holds what no JSON should.
    """
    with suppress(ValueError, RecursionError):
        value = json.loads(data, object_pairs_hook=_unique)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        return value
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)
