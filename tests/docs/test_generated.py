"""The parts of the documentation that are made from the code are whole."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest
from typer import Typer
from typer.testing import CliRunner

from promptstore import errors
from promptstore.cli.app import COMMANDS, app
from tests.docs.blocks import DOCS


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    spec = spec_from_file_location("generated", DOCS / "generated.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def all_commands() -> list[str]:
    """Return the words of every command, those of groups too."""
    words = []
    for name, place in COMMANDS.items():
        module, _, attribute = place.partition(":")
        found = getattr(import_module(f"promptstore.cli.{module}"), attribute)
        inner = found.registered_commands if isinstance(found, Typer) else []
        words += [f"{name} {command.name}" for command in inner] or [name]
    return words


WORDS = all_commands()


def headings(text: str) -> list[str]:
    return re.findall(r"^##+ (.+)$", text, re.MULTILINE)


def test_every_command_is_in_the_reference(generated: ModuleType) -> None:
    assert sorted(headings(generated.command_line())) == sorted(WORDS)


@pytest.mark.parametrize("words", WORDS)
def test_every_command_has_help(words: str) -> None:
    result = CliRunner().invoke(app, [*words.split(), "--help"])
    assert result.exit_code == 0
    assert words.split()[-1] in result.stdout


def test_every_exception_is_in_the_reference(generated: ModuleType) -> None:
    named = re.findall(r"(\w+Error)\b", errors.__doc__ or "")
    builtins = {"ValueError", "LookupError", "KeyError", "RuntimeError", "OSError", "ImportError"}
    builtins |= {"TimeoutError", "ConnectionError", "PermissionError"}
    assert set(headings(generated.error_classes())) == set(named) - builtins


def test_the_page_says_what_to_do_for_every_exception() -> None:
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\|.*", page, re.MULTILINE))
    named = set(re.findall(r"`(\w+Error)`", " ".join(told)))
    leaves = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and not value.__subclasses__()
    }
    assert leaves - named == set()


def test_every_operation_is_in_the_reference(generated: ModuleType) -> None:
    found = headings(generated.http_api())
    assert "GET /llm_prompts/name/{prompt_name}" in found
    assert "POST /llm_analytics/text_repr" in found


def test_every_rule_is_in_the_reference(generated: ModuleType) -> None:
    codes = re.findall(r"^## (PS\d+): ", generated.rules(), re.MULTILINE)
    shown = CliRunner().invoke(app, ["explain"]).stdout
    assert codes == re.findall(r"^(PS\d+)", shown, re.MULTILINE)
