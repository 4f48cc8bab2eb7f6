"""The client against a server that listens and answers what the recorded transcripts say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from promptstore.errors import RemoteError
from promptstore.posthog.client import PostHogClient, PromptHistory, RemotePrompt, RetryPolicy
from tests.threads import in_thread

FOLDER = Path(__file__).parent.parent / "data" / "posthog_api"
USER = {
    "id": 5, "uuid": "5f5f5f5f-0000-4000-8000-000000000005", "distinct_id": "d",
    "first_name": "Ada", "last_name": "Example", "email": "ada@example.com",
    "is_email_verified": True, "hedgehog_config": {}, "role_at_organization": "engineering",
}  # fmt: skip
_MARK = re.compile(r"<(uuid|time|base|user|token|project_token)(?::(\d+))?>")
_CALL = re.compile(r"/api/environments/1/llm_prompts(/.*)?")


class Step(NamedTuple):
    """One recorded request that a method of the client makes.

    Attributes:
        name: The scenario and the number of the step.
        call: The method and its arguments.
        request: The method, the path, the query and the body.
        status: The status of the answer.
        response: The answer.
    """

    name: str
    call: tuple[Any, ...]
    request: tuple[str, str, dict[str, str], Any]
    status: int
    response: Any


LIST = {"search", "label", "created_by_id", "order_by", "content", "limit", "offset"}
ONE = {"version", "label", "content"}
HISTORY = {"version", "version_id", "limit", "offset", "before_version"}
KNOWN = {"method", "path", "query", "body", "status", "response", "notes", "unordered"}


def call_of(step: dict[str, Any]) -> tuple[Any, ...] | None:
    """Find the client's call that makes a recorded request; None where none does."""
    found = _CALL.fullmatch(step["path"])
    # Another key is no other call; another content type is.
    plain = KNOWN | ({"headers"} if set(step.get("headers", {})) <= {"auth"} else set())
    if not found or set(step) - plain or not isinstance(step.get("body", {}), dict):
        return None
    words = [unquote(word) for word in (found[1] or "").strip("/").split("/") if word]
    query, body = step.get("query", {}), step.get("body", {})
    match step["method"], words:
        case "GET", [] if set(query) <= LIST:
            renamed = {"page_size" if key == "limit" else key: x for key, x in query.items()}
            return ("list_prompts", renamed)
        case "GET", ["name", name] if set(query) <= ONE:
            return ("get_prompt", {"name": name, **query})
        case "GET", ["resolve", "name", name] if set(query) <= HISTORY:
            return ("get_history", {"name": name, **query})
        case "POST", [] if set(body) >= {"name", "prompt"} and _is_sendable(body, "config"):
            return ("create_prompt", {**body})
        case "PATCH", ["name", name] if "base_version" in body and _is_sendable(body):
            edits = body.get("edits")
            pairs = None if edits is None else _pairs(edits)
            if edits is not None and pairs is None:
                return None
            changed = {"edits": pairs} if pairs is not None else {}
            return ("publish_prompt", {"name": name, **body, **changed})
        case "POST", ["name", name, "archive"] if not body:
            return ("archive_prompt", {"name": name})
        case "POST", ["name", name, "duplicate"] if set(body) == {"new_name"}:
            return ("duplicate_prompt", {"name": name, **body})
        case "PUT", ["name", name, "labels", label] if set(body) == {"version"}:
            return ("set_label", {"name": name, "label": label, **body})
        case "DELETE", ["name", name, "labels", label]:
            return ("remove_label", {"name": name, "label": label})
        case "PATCH", [prompt_id] if (
            body and set(body) <= {"name", "prompt", "deleted"} and (_is_sendable(body, "name"))
        ):
            return ("update_prompt", {"prompt_id": prompt_id, **body})
        case "GET", [prompt_id] if not prompt_id.startswith(".") and not query:
            return ("get_prompt_by_id", {"prompt_id": prompt_id})
        case "DELETE", [prompt_id] if not body:
            return ("delete_prompt", {"prompt_id": prompt_id})
    return None


def _is_sendable(body: dict[str, Any], *optional: str) -> bool:
    """Tell whether the client sends such a body: it leaves out what is None and means nothing."""
    known = {"name", "prompt", "base_version", "config", "version_description", "edits", "deleted"}
    left_out = {"version_description", "edits", "deleted", *optional}
    return set(body) <= known and all(body.get(key, "") is not None for key in left_out)


def _pairs(edits: Any) -> list[list[Any]] | None:
    fits = isinstance(edits, list) and all(
        isinstance(edit, dict) and set(edit) == {"old", "new"} for edit in edits
    )
    return [[edit["old"], edit["new"]] for edit in edits] if fits else None


def filled(value: Any) -> Any:
    """Put values in place of the marks of a transcript."""
    if isinstance(value, dict) and "$repeat" in value:
        text = value["$repeat"] * value["times"]
        return f"{value.get('prefix', '')}{text}{value.get('suffix', '')}"
    if isinstance(value, dict):
        return USER if "$user" in value else {key: filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    if value == "<user>":
        return USER
    if not isinstance(value, str):
        return value

    def put(mark: re.Match[str]) -> str:
        number = int(mark[2] or 0)
        return {
            "uuid": f"00000000-0000-4000-8000-{number:012x}",
            "time": f"2026-01-01T00:00:00.{number:06}Z",
            "base": "http://localhost",
        }.get(mark[1], "x")

    return _MARK.sub(put, value)


def recorded() -> list[Step]:
    found = []
    for file in sorted(FOLDER.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            scenario = json.loads(line)
            for number, step in enumerate(scenario["steps"], 1):
                call = call_of(step)
                answer = json.dumps(step.get("response"))
                if call is not None and '{"$any"' not in answer and '{"$list"' not in answer:
                    name = f"{scenario['dialect']} {scenario['name']} {number}"
                    method, arguments = call
                    query = filled({key: str(x) for key, x in step.get("query", {}).items()})
                    request = (step["method"], step["path"], query, filled(step.get("body")))
                    found.append(
                        Step(
                            name,
                            (method, filled(arguments)),
                            request,
                            step["status"],
                            filled(step.get("response")),
                        )
                    )
    return found


STEPS = recorded()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    step: Step
    asked: tuple[str, str, dict[str, str], Any]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    server: _Server

    def do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        self.server.asked = (
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            body,
        )
        step = self.server.step
        response = step.response
        if isinstance(response, dict) and "next" in response:
            response = response | {"next": None}
        data = b"" if response is None else json.dumps(response).encode()
        self.send_response(step.status)
        self.send_header("Content-Type", "application/json")
        if step.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[_Server]:
    found = _Server(("127.0.0.1", 0), _Handler)
    with in_thread(found):
        yield found


@pytest.fixture(scope="module")
def client(server: _Server) -> Iterator[PostHogClient]:
    host = f"http://127.0.0.1:{server.server_address[1]}"
    policy = RetryPolicy(attempts=1)
    with PostHogClient(host, "phx_x", 1, policy=policy, publishes_per_minute=0) as made:
        yield made


def test_most_of_the_transcripts_are_here() -> None:
    # The rest is asked by no method: other verbs and paths, broken bodies, other content types.
    assert len(STEPS) > 530
    assert {step.call[0] for step in STEPS} == {
        "list_prompts", "get_prompt", "get_history", "create_prompt", "publish_prompt",
        "archive_prompt", "duplicate_prompt", "set_label", "remove_label", "update_prompt",
        "get_prompt_by_id",
    }  # fmt: skip


@pytest.mark.parametrize("step", STEPS, ids=[step.name for step in STEPS])
def test_each_recorded_answer_is_read(server: _Server, client: PostHogClient, step: Step) -> None:
    server.step = step
    method, arguments = step.call

    def act() -> Any:
        result = getattr(client, method)(**arguments)
        return list(result) if method == "list_prompts" else result

    if step.status >= 400:
        with pytest.raises(RemoteError) as caught:
            act()
        assert_asked(step, server.asked)
        assert caught.value.status == step.status
        assert caught.value.attr == step.response.get("attr")
        detail = step.response.get("detail")
        assert detail is None or detail.rstrip(".") in str(caught.value)
        return
    result = act()
    assert_asked(step, server.asked)
    if method == "list_prompts":
        for row, prompt in zip(step.response["results"], result, strict=True):
            assert_read(row, prompt)
    elif isinstance(result, PromptHistory):
        assert_read(step.response["prompt"], result.prompt)
        numbers = [version["version"] for version in step.response["versions"]]
        assert [version.version for version in result.versions] == numbers
        assert result.has_more == step.response["has_more"]
    elif isinstance(result, RemotePrompt):
        assert_read(step.response, result)


def assert_asked(step: Step, asked: tuple[str, str, dict[str, str], Any]) -> None:
    """The client sent the recorded request."""
    method, path, query, body = step.request
    assert asked[0] == method
    assert unquote(asked[1]).strip("/") == unquote(filled(path)).strip("/")
    assert asked[2].items() >= query.items()
    assert (asked[3] or None) == (body or None)


def assert_read(row: dict[str, Any], prompt: RemotePrompt) -> None:
    assert (prompt.id, prompt.name, prompt.version) == (row["id"], row["name"], row["version"])
    assert prompt.prompt == row.get("prompt")
    assert prompt.config == row.get("config")
    assert prompt.deleted == row["deleted"]
    assert prompt.latest_version == row.get("latest_version")
    if row.get("created_by"):
        assert prompt.created_by is not None
        assert prompt.created_by.email == USER["email"]
    if "all_labels" in row:
        expected = {label["name"]: label["version"] for label in row["all_labels"]}
        assert prompt.labels == expected
