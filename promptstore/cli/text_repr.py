"""``promptstore text-repr``: PostHog's events as readable text.

With ``--json`` one line of JSON for each event: `text` and `metadata`.
"""

from __future__ import annotations

import io
import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from gzip import GzipFile
from pathlib import Path
from typing import IO, Annotated, Any, Final, NamedTuple, cast

import typer

from promptstore.cli.inputs import input_title
from promptstore.cli.output import print_error, progress_bar, visible
from promptstore.errors import EventError, InvalidArgumentError
from promptstore.formatters import TextRepr, TextReprMetadata, TextReprOptions, text_repr
from promptstore.formatters.jsontext import one_line
from promptstore.formatters.options import Style

_GZIP: Final = b"\x1f\x8b"
_WORTH_SHOWING: Final = 5_000_000  # bytes
_BETWEEN: Final = "\n" + "#" * 80 + "\n\n"


class _Item(NamedTuple):
    """One event of a file, or what is wrong in its place."""

    place: str
    value: Any = None
    problem: str = ""


def show_events(
    files: Annotated[
        list[str],
        typer.Argument(
            help="JSON of an event, an array of events, or JSON lines; plain or gzip; - is stdin.",
            metavar="FILE",
        ),
    ],
    style: Annotated[
        Style, typer.Option(help="With nothing lost, or as PostHog prints, byte for byte.")
    ] = "complete",
    event_type: Annotated[
        str | None, typer.Option(help="What the events are, such as $ai_trace.", metavar="TYPE")
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="All events are one trace: nest them.")
    ] = False,
    truncated: Annotated[
        bool | None, typer.Option(help="Take out the middle of long contents.", show_default=False)
    ] = None,
    truncate_buffer: Annotated[
        int, typer.Option(help="What is long, in characters.", metavar="N", min=0)
    ] = 1000,
    markers: Annotated[
        bool | None,
        typer.Option(
            "--markers/--no-markers",
            help="Keep what is taken out as base64; the default of the style posthog.",
            show_default=False,
        ),
    ] = None,
    line_numbers: Annotated[bool, typer.Option("--line-numbers", help="Number the lines.")] = False,
    tools_collapse_threshold: Annotated[
        int, typer.Option(help="More tools than this are not listed.", metavar="N", min=0)
    ] = 5,
    collapsed: Annotated[
        bool, typer.Option("--collapsed", help="One line for each event of a trace.")
    ] = False,
    max_length: Annotated[
        int | None,
        typer.Option(
            help="The longest text, in characters; 0 is no limit.",
            metavar="N",
            min=0,
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Show PostHog events as readable text.

    A broken line is reported on stderr with its number, the others are shown, and the exit code is
    1.
    """
    options = {
        "style": style,
        "truncated": truncated,
        "truncate_buffer": truncate_buffer,
        "include_markers": style == "posthog" if markers is None else markers,
        "include_line_numbers": line_numbers,
        "tools_collapse_threshold": tools_collapse_threshold,
        "collapsed": collapsed,
        "max_length": max_length,
    }
    TextReprOptions(**cast("dict[str, Any]", options))
    shown = broken = 0
    for item in _read_items(files, trace=trace):
        problem = item.problem
        if not problem:
            try:
                result = text_repr(item.value, event_type=event_type, **options)
            except EventError as error:
                problem = str(error)
        if problem:
            broken += 1
            print_error(f"error: {item.place}: {problem}")
            continue
        _print(result, as_json=as_json, is_first=not shown)
        shown += 1
    if not shown and not broken:
        print_error(f"{_names(files)}: no events")
    if broken:
        raise typer.Exit(1)


def _print(result: TextRepr, *, as_json: bool, is_first: bool) -> None:
    if as_json:
        metadata = {
            field.name: getattr(result.metadata, field.name) for field in fields(TextReprMetadata)
        }
        line = one_line({"text": result.text, "metadata": metadata}, escaped=False)
        # What stands in an event may hold half a surrogate pair, in its id too.
        line = line.encode(errors="backslashreplace").decode()
        sys.stdout.write(line + "\n")
        return
    text = result.text if result.text.endswith("\n") else result.text + "\n"
    sys.stdout.write(visible(text if is_first else _BETWEEN + text, sys.stdout))


def _read_items(files: list[str], *, trace: bool) -> Iterator[_Item]:
    items = (item for file in files for item in _file_items(file))
    if not trace:
        yield from items
        return
    found = list(items)
    yield from (item for item in found if item.problem)
    values = [item.value for item in found if not item.problem]
    if values:
        yield _Item(_names(files), values)


def _file_items(file: str) -> Iterator[_Item]:
    """Read JSON lines one by one; where the first line is no JSON, the file is one value."""
    name = input_title(file)
    with _opened(file) as stream:
        is_first = True
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            item = _parse(line, f"{name}, line {number}")
            if is_first and item.problem:
                yield from _whole(line + stream.read(), name)
                return
            yield from _elements(item, name if is_first else item.place)
            is_first = False


def _whole(data: bytes, name: str) -> list[_Item]:
    """Read a value that goes over several lines, or lines of which the first is broken."""
    item = _parse(data, name)
    if not item.problem:
        return _elements(item, name)
    lines = [
        _parse(line, f"{name}, line {number}")
        for number, line in enumerate(data.split(b"\n"), 1)
        if line.strip()
    ]
    return lines if any(isinstance(line.value, dict) for line in lines) else [item]


def _elements(item: _Item, name: str) -> list[_Item]:
    """Return the elements of an array, or what is none by itself."""
    if not isinstance(item.value, list):
        return [item]
    return [_Item(f"{name}, item {number}", value) for number, value in enumerate(item.value, 1)]


def _parse(data: bytes, place: str) -> _Item:
    repeated: dict[str, None] = {}

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.update(dict.fromkeys(key for key, count in counts.items() if count > 1))
        return made

    try:
        value = json.loads(data, object_pairs_hook=make_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, " if b"\n" in data.rstrip(b"\n") else ""
        return _Item(place, problem=f"not JSON: {error.msg} ({where}column {error.colno})")
    except UnicodeDecodeError as error:
        return _Item(place, problem=f"not UTF-8: byte {error.start + 1} is wrong")
    except ValueError as error:  # an integer of thousands of digits
        return _Item(place, problem=f"cannot be read: {error}")
    except RecursionError:
        return _Item(place, problem="the JSON is nested too deeply to be read")
    for key in repeated:
        print_error(
            f"warning: {place}: the key {json.dumps(key)} stands twice in one object; "
            "only its last value is shown"
        )
    return _Item(place, value)


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """Open a file, plain or gzip.

    A bar on stderr shows how far a large one is read, unless what is read is shown there too.
    """
    with ExitStack() as stack:
        try:
            stream: Any = sys.stdin.buffer
            size = 0
            if file != "-":
                stream = stack.enter_context(Path(file).open("rb"))
                size = Path(file).stat().st_size
            if size > _WORTH_SHOWING and sys.stderr.isatty() and not sys.stdout.isatty():
                bar = stack.enter_context(progress_bar())
                stream = bar.wrap_file(stream, size, description="Reading events")
            reader = io.BufferedReader(stream)
            stack.callback(reader.detach)  # or stdin would be closed with it
            is_gzip = reader.peek(2)[:2] == _GZIP
            yield cast("IO[bytes]", GzipFile(fileobj=reader) if is_gzip else reader)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            message = f"cannot read {input_title(file)}: {reason}"
            raise InvalidArgumentError(message=message) from error


def _names(files: list[str]) -> str:
    return ", ".join(map(input_title, files))
