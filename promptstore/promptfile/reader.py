"""A prompt's file → the prompt, and the places of things in the file."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from promptstore.errors import Problem, PromptFileError
from promptstore.model.prompt import Prompt, parse_content
from promptstore.promptfile import codes
from promptstore.promptfile.mistakes import name_mistakes
from promptstore.promptfile.problems import KeyPath, YamlError
from promptstore.promptfile.yamlreader import Tree, read_yaml


class Document:
    """A prompt's file that was read and found valid.

    Attributes:
        path: The file's path.
        tree: The file's text with its nodes.
        prompt: What it says, as a prompt without an identity.
    """

    __slots__ = ("path", "prompt", "tree")

    def __init__(self, path: str, tree: Tree, prompt: Prompt) -> None:
        self.path = path
        self.tree = tree
        self.prompt = prompt


def loads(data: bytes | str, path: str = "<prompt>") -> Prompt:
    """Read a prompt from the content of its file.

    Args:
        data: The content.
        path: The file's path, for errors.

    Returns:
        The prompt, without an identity.

    Raises:
        PromptFileError: With every problem of the file; of more than 100 the first.
    """
    return parse(data, path).prompt


def parse(data: bytes | str, path: str = "<prompt>") -> Document:
    """Read a prompt from the content of its file, and remember where things stand.

    Args:
        data: The content.
        path: The file's path, for errors.

    Returns:
        The prompt and the places.

    Raises:
        PromptFileError: With every problem of the file; of more than 100 the first.
    """
    try:
        tree = read_yaml(data)
        return Document(path, tree, _checked(tree))
    except YamlError as error:
        text = data if isinstance(data, str) else data.decode(errors="replace")
        problems = name_mistakes(text, _without_echoes(error.problems))
        raise PromptFileError(path=path, problems=problems) from None


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


def _checked(tree: Tree) -> Prompt:
    if not isinstance(tree.value, dict):
        message = "A prompt file has keys at its top, such as `prompt:`."
        tree.problems.report(_mark(tree, (), codes.NOT_ONE_MAPPING), codes.NOT_ONE_MAPPING, message)
        raise YamlError(tree.problems)
    found = parse_content(tree.value)
    for fault in found if isinstance(found, list) else ():
        code = codes.OF_FAULT[fault.kind]
        tree.problems.report(_mark(tree, fault.path, code), code, fault.message)
    if tree.problems or isinstance(found, list):
        raise YamlError(tree.problems)
    return found


def _mark(tree: Tree, keys: KeyPath, code: str) -> Any:
    node, key_node = tree.find(keys)
    about_the_key = code in (codes.UNKNOWN_KEY, codes.MISSING_KEY) or (
        code == codes.BAD_VARIABLE and len(keys) == 2
    )
    return (key_node if about_the_key and key_node else node).start_mark


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


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Leave out what only follows from another problem at the same place."""
    first: dict[tuple[int, int], Problem] = {}
    # A key that nothing knows is why another one is missing.
    for problem in sorted(problems, key=lambda problem: problem.code != codes.UNKNOWN_KEY):
        first.setdefault((problem.line, problem.column), problem)
    return list(first.values())
