"""``promptstore text-repr``: files of events in, texts out."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from promptstore import text_repr
from promptstore.cli.app import app
from promptstore.errors import InvalidArgumentError
from tests.cli.test_process import run_with_errors_on_terminal

HI: dict[str, Any] = {
    "id": "g1",
    "event": "$ai_generation",
    "properties": {"$ai_trace_id": "t", "$ai_input": [{"role": "user", "content": "Grüß dich"}]},
}
BYE: dict[str, Any] = {"id": "g2", "event": "$ai_generation", "properties": {"$ai_input": "Bye"}}
LINES = "".join(json.dumps(event) + "\n" for event in (HI, BYE))


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["text-repr", *arguments], input=stdin)


def shown(*events: Any, **options: Any) -> str:
    """Return what a person reads, unless options say otherwise."""
    chosen = {"style": "complete", "include_markers": False, **options}
    texts = [text_repr(event, **chosen).text + "\n" for event in events]
    return ("\n" + "#" * 80 + "\n\n").join(texts)


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (json.dumps(HI), [HI]),
        (json.dumps(HI, indent=2) + "\n", [HI]),
        (json.dumps([HI, BYE]), [HI, BYE]),
        (json.dumps([HI, BYE], indent=2), [HI, BYE]),
        (LINES, [HI, BYE]),
        ("\n" + LINES.replace("\n", "\r\n\r\n"), [HI, BYE]),
        ("\ufeff" + LINES, [HI, BYE]),
        (json.dumps([HI, BYE]) + "\n" + json.dumps([BYE, HI]) + "\n", [HI, BYE, BYE, HI]),
    ],
    ids=[
        "event",
        "indented event",
        "array",
        "indented array",
        "lines",
        "lines with gaps",
        "lines after a byte order mark",
        "lines of arrays",
    ],
)
def test_a_file_in_every_form(tmp_path: Path, content: str, events: list[Any]) -> None:
    plain, packed = tmp_path / "events", tmp_path / "events.gz"
    plain.write_bytes(content.encode())
    packed.write_bytes(gzip.compress(content.encode()))
    for result in (run(str(plain)), run(str(packed)), run("-", stdin=content)):
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == shown(*events)


POSTHOG = {"style": "posthog", "include_markers": True}


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ([], {}),
        (["--style", "complete"], {}),
        (["--style", "posthog"], POSTHOG),
        (["--line-numbers"], {"include_line_numbers": True}),
        (["--truncated", "--truncate-buffer", "4"], {"truncated": True, "truncate_buffer": 4}),
        (
            ["--truncated", "--truncate-buffer", "4", "--markers"],
            {"truncated": True, "truncate_buffer": 4, "include_markers": True},
        ),
        (["--style", "posthog", "--truncate-buffer", "4"], {**POSTHOG, "truncate_buffer": 4}),
        (
            ["--style", "posthog", "--truncate-buffer", "4", "--no-markers"],
            {**POSTHOG, "truncate_buffer": 4, "include_markers": False},
        ),
        (
            ["--style", "posthog", "--truncate-buffer", "4", "--no-truncated"],
            {**POSTHOG, "truncated": False},
        ),
        (["--max-length", "99"], {"max_length": 99}),
        (["--event-type", "$ai_generation"], {}),
    ],
)
def test_the_options_are_flags(flags: list[str], options: dict[str, Any]) -> None:
    assert run(*flags, "-", stdin=json.dumps(HI)).stdout == shown(HI, **options)


def test_json_has_text_and_metadata() -> None:
    result = run("--json", "-", stdin=LINES)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [item["metadata"]["event_id"] for item in found] == ["g1", "g2"]
    assert found[0]["text"] + "\n" == shown(HI)
    assert found[0]["metadata"] == {
        "event_type": "$ai_generation",
        "event_id": "g1",
        "trace_id": "t",
        "rendering": "complete",
        "char_count": len(found[0]["text"]),
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("{oops", "not JSON: Expecting property name enclosed in double quotes (column 2)"),
        ("5", "This is not an event: it is a number, not an object."),
        ("{}", "This is not an event: an event needs 'properties', and it has none."),
        ("[" * 100_000, "the JSON is nested too deeply to be read"),
        ("1" * 5_000, "cannot be read: Exceeds the limit"),
    ],
    ids=["no JSON", "a number", "no properties", "too deep", "too many digits"],
)
@pytest.mark.parametrize("place", [1, 2])
def test_one_bad_line_is_reported_and_the_rest_goes_on(bad: str, problem: str, place: int) -> None:
    lines = [json.dumps(HI), json.dumps(BYE)]
    lines.insert(place - 1, bad)
    result = run("-", stdin="\n".join(lines))
    assert result.exit_code == 1
    assert result.stdout == shown(HI, BYE)
    assert result.stderr.startswith(f"error: <stdin>, line {place}: {problem}")
    assert len(result.stderr.splitlines()) == 1


def test_a_line_that_is_not_utf8() -> None:
    result = run("-", stdin=json.dumps(HI).encode() + b'\n{"a": "\xff"}\n')
    assert (result.exit_code, result.stdout) == (1, shown(HI))
    assert result.stderr == "error: <stdin>, line 2: not UTF-8: byte 8 is wrong\n"


@pytest.mark.parametrize("arguments", [[], ["--trace"]])
@pytest.mark.parametrize(
    ("before", "between", "after", "place"),
    [
        ("", "\n", "", "<stdin>, line 1"),
        ("[", ",", "]", "<stdin>, line 1"),
        ("[\n", ",", "\n]", "<stdin>"),
    ],
    ids=["lines", "an array", "an array over several lines"],
)
def test_a_key_that_stands_twice_is_told(
    arguments: list[str], before: str, between: str, after: str, place: str
) -> None:
    repeated = json.dumps(HI).replace("{", '{"id": "lost", ', 1)
    assert repeated.count('"id"') == 2
    result = run(*arguments, "-", stdin=before + between.join([repeated, json.dumps(BYE)]) + after)
    assert (result.exit_code, result.stdout) == (
        0,
        shown([HI, BYE]) if arguments else shown(HI, BYE),
    )
    assert result.stderr == (
        f'warning: {place}: the key "id" stands twice in one object; only its last value is shown\n'
    )


def test_a_broken_file_of_one_event() -> None:
    result = run("-", stdin='{\n  "event": oops\n}')
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: <stdin>: not JSON: Expecting value (line 2, column 12)\n"


def test_all_events_as_one_trace() -> None:
    result = run("--trace", "-", stdin=LINES)
    assert result.stdout == shown([HI, BYE])
    assert "<<<" not in result.stdout
    assert "Grüß dich" in result.stdout
    result = run("--trace", "--collapsed", "-", stdin=LINES)
    assert result.stdout.endswith("#1 GENERATION g1\n#2 GENERATION g2\n")


def test_the_markers_of_a_trace_are_for_the_style_of_posthog() -> None:
    result = run("--trace", "--style", "posthog", "-", stdin=LINES)
    assert result.stdout == text_repr([HI, BYE]).text + "\n"
    assert "<<<GEN_EXPANDABLE|g1|" in result.stdout
    result = run("--trace", "--style", "posthog", "--collapsed", "-", stdin=LINES)
    assert result.stdout.endswith("├─ [GEN] generation\n└─ [GEN] generation\n")


def test_several_files_are_shown_one_after_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps(HI))
    second.write_text("{")
    result = run(str(first), str(second), "-", stdin=json.dumps(BYE))
    assert result.stdout == shown(HI, BYE)
    assert result.stderr.startswith(f"error: {second}: not JSON")
    assert result.exit_code == 1


def test_an_empty_file_has_no_events() -> None:
    assert run("-", stdin="\n").stderr == "<stdin>: no events\n"


def test_half_a_surrogate_pair_is_printed_as_its_escape() -> None:
    event = {"id": "\ud800", "properties": {"$ai_input": "a\ud800b"}}
    assert "a\\ud800b" in run("-", stdin=json.dumps(event)).stdout
    found = json.loads(run("--json", "-", stdin=json.dumps(event)).stdout)
    assert found["metadata"]["event_id"] == "\ud800"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.json"], "cannot read nowhere.json: No such file or directory"),
        (["--event-type", "x", "-"], "event_type must be one of"),
    ],
)
def test_a_wrong_call_is_an_error(arguments: list[str], sentence: str) -> None:
    result = run(*arguments, stdin=LINES)
    assert isinstance(result.exception, InvalidArgumentError)
    assert sentence in str(result.exception)


@pytest.mark.parametrize(
    "option", ["--max-length", "--truncate-buffer", "--tools-collapse-threshold"]
)
def test_a_length_below_zero_is_wrong_usage(option: str) -> None:
    assert run("-", option, "-1", stdin="{}").exit_code == 2


def test_a_style_that_is_unknown_is_wrong_usage() -> None:
    result = run("--style", "complet", "-", stdin=LINES)
    assert result.exit_code == 2
    assert "'complet' is not one of 'posthog', 'complete'" in result.stderr


def test_a_cut_gzip_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(os.urandom(5000))[:2000])
    result = run(str(path))
    assert isinstance(result.exception, InvalidArgumentError)


def test_the_command_as_a_process_outside_of_any_repository(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(LINES + "{oops\n", encoding="utf-8")
    command = [sys.executable, "-m", "promptstore", "text-repr", str(path)]
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=tmp_path, env={**os.environ, "LC_ALL": "C"}
    )
    assert done.returncode == 1
    assert done.stdout.decode() == shown(HI, BYE)
    assert done.stderr.decode().startswith(f"error: {path}, line 3: not JSON")


def test_a_large_file_shows_a_bar_on_a_terminal(tmp_path: Path) -> None:
    path, output = tmp_path / "large.jsonl", tmp_path / "shown"
    text = "a" * 6_000_000
    path.write_text(json.dumps({"properties": {"$ai_input": text}}), encoding="utf-8")
    shown = run_with_errors_on_terminal("text-repr", str(path), output=output)
    assert b"Reading events" in shown
    assert b"aaa" not in shown
    assert text in output.read_text()
