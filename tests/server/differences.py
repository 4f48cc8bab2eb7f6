"""Where this server must answer otherwise than the recorded ones, and why.

A rule holds for every scenario of its generation; a `Difference` for single steps of one scenario.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

Scenario = dict[str, Any]

RULES: Final = {
    "today-answers-the-list": (
        "The list, POST and reads by name are one route for both generations and answer as today's "
        "does: more keys than the seed's, content always as a text, other words for 404."
    ),
    "by-name-tells-who": (
        "A read by name tells who made the version, as the seed's does; today's leaves that out."
    ),
    "id-is-of-the-prompt": (
        "An id belongs to a prompt and stays the same through its versions; the rows of a history "
        "have ids of their own."
    ),
    "a-rename-makes-a-file": (
        "A rename makes a file of the new name, and created_at says since when that is there."
    ),
}

COUNTS: Final = "A version is a commit, so a change by id makes one too."
LATER: Final = "This is today's route, which is served beside the seed's."
ONE_405: Final = (
    "A method that a route does not have is 405, as HTTP says; the recorded 403 is how keys are "
    "checked there."
)
DELETED: Final = "Both generations share the route, and the seed's takes `deleted` of a POST."
DASH: Final = "A file of a prompt cannot begin with '-'."
TWINS: Final = "Names that differ in letter case only cannot both be files on every system."
ANY: Final = {"$any": True}


@dataclass(frozen=True)
class Difference:
    """What is answered instead at single steps.

    Attributes:
        reason: Why.
        steps: By the number of the step the status, or parts of the response, or both.
        dropped: Steps that make no sense after that.
    """

    reason: str
    steps: Mapping[int, Mapping[str, Any]]
    dropped: tuple[int, ...] = ()


def _version(number: int) -> dict[str, Any]:
    return {"response": {"version": number}}


def _refused(status: int, **response: Any) -> dict[str, Any]:
    body = {"type": ANY, "code": ANY, "detail": ANY, "attr": ANY, **response}
    return {"status": status, "replace": body}


def _missing() -> dict[str, Any]:
    return {"status": 404, "replace": {"detail": ANY}}


_405: Final = _refused(405, code="method_not_allowed")
_NO_DASH: Final = _refused(400, code="invalid_name", attr="name")
_TWIN: Final = _refused(400, code="invalid_input")

DIFFERENCES: Final[Mapping[str, Difference]] = {
    "seed/create-unusual-but-valid-names": Difference(
        DASH + " And today's generation reserves the name 'new'.",
        {
            2: _NO_DASH,
            4: _NO_DASH,
            8: _refused(400, code="reserved_name"),
            12: _NO_DASH,
            15: _missing(),
            17: _missing(),
        },
    ),
    "seed/create-names-are-case-sensitive": Difference(TWINS, {2: _TWIN, 4: _missing()}),
    "seed/by-name-ignores-version-label-and-content": Difference(
        LATER,
        {
            2: _missing(),
            3: _refused(400, attr="version"),
            4: _missing(),
            5: {"response": {"prompt": None}},
            6: _refused(400),
        },
    ),
    "seed/patch-prompt": Difference(COUNTS, {2: _version(2), 3: _version(2), 4: _version(2)}),
    "seed/patch-without-trailing-slash": Difference(COUNTS, {2: _version(2)}),
    "seed/patch-delete": Difference(COUNTS, {2: _version(2)}),
    "seed/patch-delete-string-true": Difference(COUNTS, {2: _version(2)}),
    "seed/patch-rename-case-only": Difference(TWINS, {2: _TWIN}, dropped=(3,)),
    "seed/patch-large-prompt": Difference(
        "A content is at most a megabyte, as in today's generation: larger files are not read.",
        {2: _refused(413, code="body_too_large"), 3: {"response": {"prompt": "small"}}},
    ),
    "seed/methods-post-on-an-id": Difference(ONE_405, {2: _405}),
    "seed/routes-of-the-later-api-do-not-exist": Difference(
        LATER, {2: {"status": 204, "replace": None}}, dropped=(3, 4, 5, 7)
    ),
    "seed/lifecycle-name-freed-by-rename-is-reusable-and-clashes-again": Difference(
        COUNTS + " A rename leaves a tombstone, and a name that is used again goes on counting.",
        {3: _version(3), 5: {"response": {"results": {"$list": 2}}}},
    ),
    "current/create-ignores-read-only-and-deleted": Difference(
        DELETED,
        {
            1: {"response": {"deleted": True}},
            2: _missing(),
            3: {"response": {"count": 0, "results": []}},
        },
    ),
    "current/create-deleted-field-is-not-even-validated": Difference(
        DELETED, {1: _refused(400, attr="deleted"), 2: _refused(400, attr="deleted")}
    ),
    "current/create-config-null-and-empty": Difference(
        "A file without a config and one with an empty one mean the same.",
        {2: {"response": {"config": None}}, 4: {"response": {"config": None}}},
    ),
    "current/list-search-sees-json-text": Difference(
        "The search reads the text itself, not its JSON, which only a database stores.",
        {
            4: {"response": {"count": 1, "results": {"$list": 1}}},
            5: {"response": {"count": 0, "results": []}},
            6: {"response": {"count": 1, "results": {"$list": 1}}},
            7: {"response": {"count": 0, "results": []}},
        },
    ),
    "current/edits-that-change-nothing": Difference(
        "What says the same as before makes no commit, so no version.",
        {2: {"response": {"version": 1, "latest_version": 1, "version_count": 1}}},
    ),
    "current/resolve-missing": Difference(
        "`llm_prompts/resolve` without a name is the seed's route with an id that is none.",
        {5: {"response": {"detail": "Not found."}}},
    ),
    "current/methods-on-the-by-name-route": Difference(ONE_405, {2: _405, 3: _405, 4: _405}),
}


def key_of(scenario: Scenario) -> str:
    """Name a scenario; both generations have some of the same name."""
    return f"{scenario['dialect']}/{scenario['name']}"


def by_the_rules(scenario: Scenario) -> Scenario:
    """Give a scenario with what the rules alone say that this server must answer."""
    result = deepcopy(scenario)
    if result["dialect"] == "seed":
        for step in result["steps"]:
            _answer_as_today(step)
        _date_from_renames(result)
    else:
        _keep_ids(result)
        _tell_who(result)
    return result


def adapted(scenario: Scenario) -> Scenario:
    """Give a scenario with what this server must answer."""
    result = by_the_rules(scenario)
    difference = DIFFERENCES.get(key_of(scenario))
    if difference is not None:
        for number, change in difference.steps.items():
            _apply(result["steps"][number - 1], change)
        result["steps"] = [
            step
            for number, step in enumerate(result["steps"], 1)
            if number not in difference.dropped
        ]
    return result


def _apply(step: dict[str, Any], change: Mapping[str, Any]) -> None:
    step["status"] = change.get("status", step["status"])
    if "replace" in change:
        step["response"] = change["replace"]
    for key, value in change.get("response", {}).items():
        if value is None and key == "prompt":
            del step["response"][key]
        else:
            step["response"][key] = value


def _answer_as_today(step: dict[str, Any]) -> None:
    """Expect today's objects of the routes that both generations have."""
    response = step.get("response")
    is_by_name = "/llm_prompts/name/" in step["path"]
    is_of_the_list = re.fullmatch(r".*/llm_prompts(\.json)?/?", step["path"]) is not None
    if not isinstance(response, dict) or not (is_by_name or is_of_the_list):
        return
    if is_by_name and step["status"] == 404 and set(response) == {"detail"}:
        named = re.fullmatch("Prompt with name '(.*)' not found.", response["detail"], re.DOTALL)
        assert named
        response["detail"] = (
            f"No prompt matching '{named[1]}' in this project. "
            "List the project's prompts to see which names exist."
        )
    rows = response.get("results", [response])
    for row in rows if isinstance(rows, list) else []:
        if "prompt" not in row:
            continue
        prompt = row["prompt"]
        if not isinstance(prompt, str) and "$repeat" not in json.dumps(prompt):
            row["prompt"] = json.dumps(prompt, ensure_ascii=False)
        if is_by_name:
            # By name a version says when it was made, not when the prompt was.
            row["created_at"] = ANY


def _date_from_renames(scenario: Scenario) -> None:
    """Expect any time of making from the first rename on: git counts whole seconds."""
    is_renamed = False
    for step in scenario["steps"]:
        response = step.get("response")
        sent = json.dumps(step.get("body")) + step.get("raw_body", "")
        is_renamed = is_renamed or (step["method"] in ("PATCH", "PUT") and "name" in sent)
        rows = response.get("results", [response]) if isinstance(response, dict) else []
        for row in rows if is_renamed and isinstance(rows, list) else []:
            if "created_at" in row:
                row["created_at"] = ANY


def _tell_who(scenario: Scenario) -> None:
    """Expect who made the version in every read by name."""
    for step in scenario["steps"]:
        response = step.get("response")
        is_read = step["method"] == "GET" and "/llm_prompts/name/" in step["path"]
        if is_read and isinstance(response, dict) and "latest_version" in response:
            response["created_by"] = "<user>"


def _keep_ids(scenario: Scenario) -> None:
    """Expect one id for all versions of a prompt, and other ids in its history."""
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    in_history: dict[str, str] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if "latest_version" in value and isinstance(value.get("id"), str):
                name = json.dumps(value["name"])
                same[value["id"]] = first.setdefault(name, value["id"])
            for row in value.get("versions", []):
                in_history[row["id"]] = row["id"].replace("uuid:", "uuid:100")
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    def replace(value: Any, ids: Mapping[str, str]) -> Any:
        if isinstance(value, str):
            for old, new in ids.items():
                if value == old:
                    return new
                value = value.replace(old, new) if "/" in value or "'" in value else value
            return value
        if isinstance(value, list):
            return [replace(item, ids) for item in value]
        if isinstance(value, dict):
            return {
                key: replace(item, in_history if key in ("versions", "version_id") else ids)
                for key, item in value.items()
            }
        return value

    for step in scenario["steps"]:
        collect(step.get("response"))
    for step in scenario["steps"]:
        for part in ("path", "query", "response"):
            if part in step:
                step[part] = replace(step[part], same)
