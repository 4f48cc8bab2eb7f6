"""Write the parts of the documentation that follow from the code."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from promptstore import errors
from promptstore.cli.app import COMMANDS, app
from promptstore.server.app import create_app

EVERYWHERE: Final = frozenset({"repo", "root", "branch", "help"})
"""Options that every command of a store takes; the page explains them once."""

PREFIX: Final = "/api/environments/{project_id}"

SHOWN_WALKS: Final = (
    "open and first get",
    "first render with logic",
    "save in a checked-out clone",
    "HTTP read by name",
)

TOP: Final = Path(__file__).parent.parent


def write(folder: Path) -> None:
    """Write every generated part into a folder.

    Args:
        folder: Where; it is made if it is not there.
    """
    folder.mkdir(exist_ok=True)
    for name, make in PARTS.items():
        text = make()
        file = folder / f"{name}.md"
        # An unchanged file keeps its time, so that the next build reads only what changed.
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def command_line() -> str:
    """Return the reference of the command line, made from its commands."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    context = Context(group, info_name="promptstore")
    sections = []
    for name in COMMANDS:
        command = group.get_command(context, name)
        for words, found in _commands(name, command):
            sections.append(_command(words, found, context))
    return "\n".join(sections)


def _commands(words: str, command: Any) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _commands(f"{words} {name}", inner)
    else:
        yield words, command


def _command(words: str, command: TyperCommand, parent: Context) -> str:
    context = Context(command, parent=parent, info_name=words)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"## {words}", "", f"`promptstore {words} {usage}`", ""]
    lines += [_prose(inspect.cleandoc(command.help or "")), ""]
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and parameter.name not in EVERYWHERE:
            rows.append(f"| `{record[0]}` | {_cell(record[1])} |")
    if rows:
        lines += ["| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _prose(text: str) -> str:
    return re.sub(r"\s*\n(?!\n)\s*", lambda match: "\n\n" if "\n\n" in match[0] else " ", text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def http_api() -> str:
    """Return the operations of the HTTP API, made from its OpenAPI document."""
    document = create_app({}, None).openapi()
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rows = groups.setdefault(operation.get("tags", ["server"])[0], [])
            rows += _operation(path.removeprefix(PREFIX), method, operation)
    return "\n".join(line for tag, rows in groups.items() for line in [f"## {tag}", "", *rows])


def _operation(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    summary = operation.get("description") or operation["summary"]
    lines = [f"### {method.upper()} {path}", "", _prose(summary), ""]
    scopes = {
        scope for rule in operation.get("security", []) for of in rule.values() for scope in of
    }
    if scopes:
        lines += [f"Scope: {', '.join(f'`{scope}`' for scope in sorted(scopes))}.", ""]
    rows = [
        f"| `{given['name']}` | {given['in']} | {_cell(given.get('description', ''))} |"
        for given in operation.get("parameters", [])
        if given["name"] != "project_id"
    ]
    if rows:
        lines += ["| parameter | in | meaning |", "|---|---|---|", *rows, ""]
    return lines


def error_classes() -> str:
    """Return a section for every exception, made from its docstring."""
    lines = []
    for name, value in vars(errors).items():
        if not (inspect.isclass(value) and issubclass(value, errors.PromptStoreError)):
            continue
        bases = [base.__name__ for base in value.__mro__[1:] if base not in (object, BaseException)]
        summary, _, rest = inspect.cleandoc(value.__doc__ or "").partition("\n")
        inherited = ", ".join(f"`{base}`" for base in bases if base != "Exception")
        lines += [f"### {name}", "", _code(summary), ""]
        if inherited:
            lines += [f"Also caught as: {inherited}.", ""]
        attributes = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", rest, re.MULTILINE)
        if attributes:
            lines += [f"- `{key}`: {_code(' '.join(text.split()))}" for key, text in attributes]
            lines.append("")
    return "\n".join(lines)


def _code(text: str) -> str:
    return text.replace("``", "`")


def rules() -> str:
    """Return the rules of `check`, as `promptstore explain --all` prints them."""
    text = (TOP / "promptstore" / "lint" / "rules.md").read_text(encoding="utf-8")
    return text.partition("\n\n")[2]


def walks() -> str:
    """Return the walks: which files run in an action, measured now."""
    from tests.architecture.walks import WALKS

    lines = []
    for title in SHOWN_WALKS:
        with tempfile.TemporaryDirectory() as folder:
            files = WALKS[title](Path(folder))
        lines += [f"### {title[0].upper()}{title[1:]}: {len(files)} files", ""]
        lines += [f"- `{file}`: {_first_line(file)}" for file in files]
        lines.append("")
    return "\n".join(lines)


def _first_line(file: str) -> str:
    text = (TOP / "promptstore" / file).read_text(encoding="utf-8")
    found = re.match(r'"""(.+?)(?:"""|\n\n|\n)', text)
    return _code(found[1]) if found else ""


PARTS: Final[dict[str, Callable[[], str]]] = {
    "command_line": command_line,
    "http_api": http_api,
    "errors": error_classes,
    "rules": rules,
    "walks": walks,
}
