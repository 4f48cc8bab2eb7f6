"""What the OpenAPI document says of each route."""

from __future__ import annotations

from typing import Any, Final

from promptstore.server.events import EVENT_TYPES
from promptstore.server.problems import (
    RefusedError,
    no_deletion,
    no_key,
    no_scope,
    not_built,
    required,
    stale,
)
from promptstore.server.wire import ORDERS

PROJECT: Final = "/api/environments/{project_id}"
"""Where the routes of a project lie; ``/api/projects/`` leads to the same ones."""

DESCRIPTION: Final = """\
PostHog's prompt API over git repositories. Every write is one commit.

- `/api/projects/` is the same as `/api/environments/`; a slash at the end may be there or not.
- The project is a number, or `@current`; a `token` in the query names it by its public token.
- A name with `/` or `.` is spelled with a `-` in front, `__` for `/`, `_d` for `.` and `_u` for
  `_`: `support/triage` is `-support__triage`. To read, `support%2Ftriage` does too.
- Reads carry an `ETag`: `If-None-Match` answers 304, `If-Match` guards a write.
"""

_Json = dict[str, Any]

_UUID: Final = "497f6eca-6276-4993-bfeb-53cbbbba6f08"
_TIME: Final = "2026-08-24T14:15:22Z"
_USER: Final = {
    "id": 81985529216486,
    "uuid": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f",
    "distinct_id": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f",
    "first_name": "Ada",
    "last_name": "Example",
    "email": "ada@example.com",
    "is_email_verified": None,
    "hedgehog_config": None,
    "role_at_organization": None,
}
_TEXT: Final = "Summarise: {{text}}"
_SEED: Final = {
    "id": _UUID,
    "name": "summarise",
    "prompt": _TEXT,
    "version": 2,
    "created_by": _USER,
    "created_at": _TIME,
    "updated_at": _TIME,
    "deleted": False,
}
_STATE: Final = {
    "created_at": _TIME,
    "updated_at": _TIME,
    "deleted": False,
    "is_latest": True,
    "latest_version": 2,
    "version_count": 2,
    "first_version_created_at": _TIME,
}
_PUBLIC: Final = {
    "id": _UUID,
    "name": "summarise",
    "prompt": _TEXT,
    "config": {"model": "gpt-x"},
    "outline": [],
    "version": 2,
    **_STATE,
}
_FULL: Final = {
    "id": _UUID,
    "name": "summarise",
    "prompt": _TEXT,
    "config": {"model": "gpt-x"},
    "version": 2,
    "version_description": "Shorter",
    "created_by": _USER,
    **_STATE,
    "outline": [],
    "labels": ["production"],
    "activity_item_id": "summarise",
}
_ROW: Final = {
    **_FULL,
    "prompt_size_bytes": 21,
    "all_labels": [{"name": "production", "version": 2}],
}
_LABEL: Final = {
    "id": "0d1f7a52-3c52-4c5b-9f3c-6a2f0d3b7e10",
    "name": "production",
    "prompt_name": "summarise",
    "version": 2,
    "created_by": _USER,
    "created_at": _TIME,
    "updated_at": _TIME,
}
_VERSION: Final = {
    "id": "7c1e2a34-95b7-4f1c-8d0e-2b6a9c4d5e6f",
    "version": 2,
    "version_description": "Shorter",
    "created_by": _USER,
    "created_at": _TIME,
    "is_latest": True,
    "labels": ["production"],
}


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(schema: _Json) -> _Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: _Json, required: list[str] | None = None) -> _Json:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names}


_STRING: Final[_Json] = {"type": "string"}
_NUMBER: Final[_Json] = {"type": "integer"}
_COUNT: Final[_Json] = {"type": "integer", "minimum": 1}
_FLAG: Final[_Json] = {"type": "boolean"}
_WHEN: Final[_Json] = {"type": "string", "format": "date-time"}
_ID: Final[_Json] = {"type": "string", "format": "uuid"}
_ANY: Final[_Json] = {"type": ["string", "number", "boolean", "array", "object"]}
_ANY_OBJECT: Final[_Json] = {"type": "object"}
_OUTLINE: Final[_Json] = {
    "type": "array",
    "items": _object({"level": _NUMBER, "text": _STRING}),
    "description": "The markdown headings of a text.",
}
_STATE_FIELDS: Final[_Json] = {
    "created_at": _WHEN,
    "updated_at": _WHEN,
    "deleted": _FLAG,
    "is_latest": _FLAG,
    "latest_version": _NUMBER,
    "version_count": _NUMBER,
    "first_version_created_at": _WHEN,
}
_CONTENT_FIELDS: Final[_Json] = {
    "prompt": {**_STRING, "description": "The text; a list of messages as its JSON text."},
    "config": _maybe(_ANY_OBJECT),
    "prompt_preview": _STRING,
}
_FULL_FIELDS: Final[_Json] = {
    "id": {**_ID, "description": "Stays the same for all versions, and when it is renamed."},
    "name": _STRING,
    **_CONTENT_FIELDS,
    "version": _NUMBER,
    "version_description": _maybe(_STRING),
    "created_by": _maybe(_ref("User")),
    **_STATE_FIELDS,
    "outline": _OUTLINE,
    "labels": {"type": "array", "items": _STRING},
    "activity_item_id": _STRING,
}
_ROW_FIELDS: Final[_Json] = {
    **_FULL_FIELDS,
    "prompt_size_bytes": _NUMBER,
    "all_labels": {"type": "array", "items": _object({"name": _STRING, "version": _NUMBER})},
}


def _without_content(properties: _Json) -> list[str]:
    return [name for name in properties if name not in _CONTENT_FIELDS]


SCHEMAS: Final[dict[str, _Json]] = {
    "Error": {
        "type": "object",
        "properties": {
            "type": _STRING,
            "code": _STRING,
            "detail": _STRING,
            "attr": _maybe(_STRING),
            "current_version": {**_NUMBER, "description": "With 409: the newest version."},
            "edit_index": {**_NUMBER, "description": "The edit that could not be made."},
            "referencing_prompts": {"type": "array", "items": _STRING},
        },
        "required": ["detail"],
    },
    "User": _object(
        {
            "id": _NUMBER,
            "uuid": _ID,
            "distinct_id": _STRING,
            "first_name": _STRING,
            "last_name": _STRING,
            "email": _STRING,
            "is_email_verified": _maybe(_FLAG),
            "hedgehog_config": _maybe(_ANY_OBJECT),
            "role_at_organization": _maybe(_STRING),
        }
    ),
    "PromptById": _object(
        {
            "id": _ID,
            "name": _STRING,
            "prompt": {**_ANY, "description": "The content; messages as JSON."},
            "version": _NUMBER,
            "created_by": _maybe(_ref("User")),
            "created_at": _WHEN,
            "updated_at": _WHEN,
            "deleted": _FLAG,
        }
    ),
    "Prompt": _object(_FULL_FIELDS, _without_content(_FULL_FIELDS)),
    "PromptRow": _object(_ROW_FIELDS, _without_content(_ROW_FIELDS)),
    "PublicPrompt": _object(
        {
            "id": _ID,
            "name": _STRING,
            **_CONTENT_FIELDS,
            "outline": _OUTLINE,
            "version": _NUMBER,
            "label": {**_STRING, "description": "Only where it was asked for by a label."},
            **_STATE_FIELDS,
        },
        ["id", "name", "outline", "version", *_STATE_FIELDS],
    ),
    "NativePrompt": _object(
        {
            "id": _ID,
            "name": _STRING,
            "git_name": {**_STRING, "description": "The name of its file under the root."},
            "version": _NUMBER,
            "commit": _STRING,
            "blob": _STRING,
            "content": {**_ANY_OBJECT, "description": "What its file says."},
        }
    ),
    "PromptList": _object(
        {
            "count": _NUMBER,
            "next": _maybe({"type": "string", "format": "uri"}),
            "previous": _maybe({"type": "string", "format": "uri"}),
            "results": {"type": "array", "items": _ref("PromptRow")},
        }
    ),
    "Label": _object(
        {
            "id": _ID,
            "name": _STRING,
            "prompt_name": _STRING,
            "version": _NUMBER,
            "created_by": _maybe(_ref("User")),
            "created_at": _WHEN,
            "updated_at": _WHEN,
        }
    ),
    "Version": _object(
        {
            "id": {**_ID, "description": "The id of this version; for `version_id`."},
            "version": _NUMBER,
            "version_description": _maybe(_STRING),
            "created_by": _maybe(_ref("User")),
            "created_at": _WHEN,
            "is_latest": _FLAG,
            "labels": {"type": "array", "items": _STRING},
        }
    ),
    "Resolved": _object(
        {
            "prompt": _ref("Prompt"),
            "versions": {"type": "array", "items": _ref("Version")},
            "has_more": _FLAG,
            "labels": {"type": "array", "items": _ref("Label")},
        }
    ),
    "Diff": _object(
        {
            "name": _STRING,
            "from": _NUMBER,
            "to": _NUMBER,
            "changes": {"type": "array", "items": _STRING},
            "texts": {"type": "array", "items": _object({"title": _STRING, "diff": _STRING})},
        }
    ),
    "Health": _object({"status": {"enum": ["ok", "failing"]}}),
}

SECURITY_SCHEMES: Final[_Json] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key made by `promptstore token create`.",
    }
}


def _parameter(where: str, name: str, schema: _Json, about: str, example: Any) -> _Json:
    return {
        "in": where,
        "name": name,
        "required": where == "path",
        "schema": schema,
        "description": about,
        "example": example,
    }


def _query(name: str, schema: _Json, about: str, example: Any) -> _Json:
    return _parameter("query", name, schema, about, example)


_LENIENT: Final[_Json] = {"anyOf": [_NUMBER, _STRING]}
_BLANK: Final[_Json] = {"type": "string", "maxLength": 0}
_LABEL_NAME: Final[_Json] = {
    "type": "string",
    "maxLength": 128,
    "pattern": "^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$",
    "not": {"anyOf": [{"enum": ["latest"]}, {"pattern": "^[0-9]+$"}]},
}
_PROJECT_ID: Final = _parameter(
    "path", "project_id", _STRING, "The project: a number, or `@current`.", "@current"
)
_PROMPT_ID: Final = _parameter("path", "id", _STRING, "The id of a prompt.", _UUID)
_PROMPT_NAME: Final = _parameter(
    "path", "prompt_name", {"type": "string", "minLength": 1}, "The name.", "summarise"
)
_NAME_OR_ID: Final = _PROMPT_NAME | {"description": "The name of a prompt, or its id."}
_LABEL_PATH: Final = _parameter("path", "label", _LABEL_NAME, "The label.", "production")
_TOKEN: Final = _query(
    "token", _STRING, "The public token of a project; it wins over the path.", "phc_project_1"
)
_VERSION_QUERY: Final = _query(
    "version", {"anyOf": [_COUNT, _BLANK]}, "A version; not with a label.", 2
)
_LABEL_QUERY: Final = _query(
    "label", {"anyOf": [_LABEL_NAME, _BLANK]}, "A label; not with a version.", "production"
)
_CONTENT_QUERY: Final = _query(
    "content",
    {"enum": ["full", "preview", "none", ""]},
    "How much of the content is given.",
    "full",
)
_FORMAT: Final = _query(
    "format", {"enum": ["json", "native", ""]}, "`native` gives the whole prompt.", "json"
)
_IF_NONE_MATCH: Final = _parameter(
    "header", "If-None-Match", _STRING, "What the client has: 304 where it is the same.", '"abc"'
)
_IF_MATCH: Final = _parameter(
    "header", "If-Match", _STRING, "The state of the prompt that was read: 412 for another.", "*"
)

_NAME_FIELD: Final[_Json] = {
    "anyOf": [
        {"type": "string", "maxLength": 200, "pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]*$"},
        {"type": "integer", "minimum": 0},
    ],
    "description": "Letters, digits, `-` and `_`.",
}
_NEW_NAME_FIELD: Final[_Json] = {
    **_NAME_FIELD,
    "description": "Letters, digits, `-` and `_`; `new` is reserved.",
    "not": {"type": "string", "pattern": "^[nN][eE][wW]$"},
}
_CONFIG_FIELD: Final = _maybe(_ANY_OBJECT)
_DESCRIBED_FIELD: Final[_Json] = {
    "anyOf": [{"type": "string", "maxLength": 400}, {"type": "number"}],
    "description": "The message of the commit.",
}
_BASE_FIELD: Final[_Json] = {
    "anyOf": [_COUNT, {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}],
    "description": "The version that the change was made for; it must be the newest one.",
}
_EDITS_FIELD: Final[_Json] = {
    "type": "array",
    "minItems": 1,
    "items": _object(
        {
            "old": {"type": "string", "pattern": "\\S", "description": "Must match exactly once."},
            "new": {"type": "string", "pattern": "\\S"},
        }
    ),
}
_DELETED_FIELD: Final[_Json] = {
    "anyOf": [
        _FLAG,
        {"enum": [0, 1]},
        {"type": "string", "pattern": "^(t|y|yes|true|on|1|f|n|no|false|off|0)$"},
    ]
}


def _body(schema: _Json, example: _Json, *, required: bool = True) -> _Json:
    content = {"schema": schema, "example": example}
    return {"required": required, "content": {"application/json": content}}


def _answer(about: str, schema: _Json, example: Any) -> _Json:
    content = {"schema": schema, "example": example}
    return {"description": about, "content": {"application/json": content}}


def _refusal(about: str, refusal: RefusedError) -> _Json:
    return _answer(about, _ref("Error"), refusal.body)


_REFUSED: Final = _refusal("The request is refused.", required("prompt"))
_NOT_MODIFIED: Final = {"304": {"description": "The client has it already."}}


def _operation(
    identifier: str,
    parameters: list[_Json],
    answers: _Json,
    *,
    scope: str | None = None,
    body: _Json | None = None,
    status: int = 200,
) -> _Json:
    """Make the arguments of a route's decorator."""
    extra: _Json = {"parameters": parameters, "responses": {**answers, "default": _REFUSED}}
    extra["security"] = [{"key": []}] if scope else []
    if scope:
        extra["responses"]["401"] = _refusal("There is no good key.", no_key())
        extra["responses"]["403"] = _refusal(f"The key lacks `{scope}`.", no_scope(scope))
    if body is not None:
        extra["requestBody"] = body
    return {
        "operation_id": identifier,
        "openapi_extra": extra,
        "status_code": status,
        "response_model": None,
    }


_IN_PROJECT: Final = [_PROJECT_ID, _TOKEN]
_READ: Final = "llm_prompt:read"
_WRITE: Final = "llm_prompt:write"
_ONE_PROMPT: Final = {"200": _answer("The new version.", _ref("Prompt"), _FULL)}
_BY_ID: Final = {"200": _answer("The prompt.", _ref("PromptById"), _SEED)}


def _link(operation: str, key: str, field: str) -> _Json:
    return {
        "operationId": operation,
        "parameters": {
            "path.project_id": "$request.path.project_id",
            f"path.{key}": f"$response.body#/{field}",
        },
    }


_BY_NAME_OPERATIONS: Final = (
    "getPromptByName",
    "publishPrompt",
    "archivePrompt",
    "unarchivePrompt",
    "duplicatePrompt",
    "setLabel",
    "removeLabel",
    "diffPrompt",
    "resolvePrompt",
)
_BY_ID_OPERATIONS: Final = ("retrievePrompt", "updatePrompt", "replacePrompt")
_MADE: Final = {
    "201": {
        **_answer("The new prompt.", _ref("Prompt"), _FULL),
        "links": {
            **{name: _link(name, "prompt_name", "name") for name in _BY_NAME_OPERATIONS},
            **{name: _link(name, "id", "id") for name in _BY_ID_OPERATIONS},
        },
    }
}

LIST: Final = _operation(
    "listPrompts",
    [
        *_IN_PROJECT,
        _query("limit", _LENIENT, "How many rows; 100 where it is left out or odd.", 100),
        _query("offset", _LENIENT, "How many rows come before; 0 where it is odd.", 0),
        _query("search", _STRING, "A part of the name or the content, letter case aside.", "sum"),
        _query(
            "order_by",
            {"enum": [f"{sign}{order}" for order in ORDERS for sign in ("", "-")]},
            "The order; `-` turns it round. By default what was published last comes first.",
            "name",
        ),
        _LABEL_QUERY,
        _query("created_by_id", {"anyOf": [_NUMBER, _BLANK]}, "Only what this user published.", 0),
        _CONTENT_QUERY,
        _IF_NONE_MATCH,
    ],
    {
        "200": _answer(
            "A page of prompts.",
            _ref("PromptList"),
            {"count": 1, "next": None, "previous": None, "results": [_ROW]},
        ),
        **_NOT_MODIFIED,
    },
    scope=_READ,
)
CREATE: Final = _operation(
    "createPrompt",
    _IN_PROJECT,
    _MADE,
    scope=_WRITE,
    status=201,
    body=_body(
        _object(
            {
                "name": _NEW_NAME_FIELD,
                "prompt": _ANY,
                "config": _CONFIG_FIELD,
                "version_description": _maybe(_DESCRIBED_FIELD),
            },
            ["name", "prompt"],
        ),
        {"name": "summarise", "prompt": _TEXT, "version_description": "First words"},
    ),
)
RETRIEVE: Final = _operation(
    "retrievePrompt",
    [*_IN_PROJECT, _PROMPT_ID, _FORMAT, _IF_NONE_MATCH],
    {
        "200": _answer("The prompt.", {"anyOf": [_ref("PromptById"), _ref("NativePrompt")]}, _SEED),
        **_NOT_MODIFIED,
    },
    scope=_READ,
)
_BY_ID_FIELDS: Final = {"name": _NAME_FIELD, "prompt": _ANY, "deleted": _DELETED_FIELD}
UPDATE: Final = _operation(
    "updatePrompt",
    [*_IN_PROJECT, _PROMPT_ID, _IF_MATCH],
    _BY_ID,
    scope=_WRITE,
    body=_body(_object(_BY_ID_FIELDS, []), {"prompt": _TEXT}, required=False),
)
REPLACE: Final = _operation(
    "replacePrompt",
    [*_IN_PROJECT, _PROMPT_ID, _IF_MATCH],
    _BY_ID,
    scope=_WRITE,
    body=_body(_object(_BY_ID_FIELDS, ["name", "prompt"]), {"name": "summarise", "prompt": _TEXT}),
)
DELETE: Final = _operation(
    "deletePrompt",
    [*_IN_PROJECT, _PROMPT_ID],
    {"405": _refusal("Nothing is deleted: PATCH `deleted` to true.", no_deletion())},
    scope=_WRITE,
    status=405,
)
GET_BY_NAME: Final = _operation(
    "getPromptByName",
    [
        *_IN_PROJECT,
        _NAME_OR_ID,
        _VERSION_QUERY,
        _LABEL_QUERY,
        _CONTENT_QUERY,
        _FORMAT,
        _IF_NONE_MATCH,
    ],
    {
        "200": _answer(
            "The version.", {"anyOf": [_ref("PublicPrompt"), _ref("NativePrompt")]}, _PUBLIC
        ),
        **_NOT_MODIFIED,
    },
    scope=_READ,
)
PUBLISH: Final = _operation(
    "publishPrompt",
    [*_IN_PROJECT, _NAME_OR_ID, _IF_MATCH],
    {
        **_ONE_PROMPT,
        "409": _answer(
            "The base is stale.",
            _ref("Error"),
            stale(3).body,
        ),
    },
    scope=_WRITE,
    body=_body(
        {
            **_object(
                {
                    "base_version": _BASE_FIELD,
                    "prompt": _ANY,
                    "edits": _EDITS_FIELD,
                    "config": _CONFIG_FIELD,
                    "version_description": _DESCRIBED_FIELD,
                },
                ["base_version"],
            ),
            "anyOf": [
                {"required": ["prompt"], "not": {"required": ["edits"]}},
                {"required": ["edits"], "not": {"required": ["prompt"]}},
                {"required": ["config"], "not": {"required": ["prompt", "edits"]}},
            ],
        },
        {"base_version": 1, "prompt": _TEXT, "version_description": "Shorter"},
    ),
)
ARCHIVE: Final = _operation(
    "archivePrompt",
    [*_IN_PROJECT, _PROMPT_NAME, _IF_MATCH],
    {"204": {"description": "It is archived."}},
    scope=_WRITE,
    status=204,
)
UNARCHIVE: Final = _operation(
    "unarchivePrompt", [*_IN_PROJECT, _PROMPT_NAME], _ONE_PROMPT, scope=_WRITE
)
DUPLICATE: Final = _operation(
    "duplicatePrompt",
    [*_IN_PROJECT, _PROMPT_NAME, _IF_MATCH],
    _MADE,
    scope=_WRITE,
    status=201,
    body=_body(_object({"new_name": _NEW_NAME_FIELD}), {"new_name": "summarise-2"}),
)
SET_LABEL: Final = _operation(
    "setLabel",
    [*_IN_PROJECT, _PROMPT_NAME, _LABEL_PATH, _IF_MATCH],
    {
        "200": _answer("The label was moved.", _ref("Label"), _LABEL),
        "201": _answer("The label is new.", _ref("Label"), _LABEL),
    },
    scope=_WRITE,
    body=_body(_object({"version": _BASE_FIELD}), {"version": 2}),
)
REMOVE_LABEL: Final = _operation(
    "removeLabel",
    [*_IN_PROJECT, _PROMPT_NAME, _LABEL_PATH | {"schema": _STRING}, _IF_MATCH],
    {"204": {"description": "The label is off."}},
    scope=_WRITE,
    status=204,
)
DIFF: Final = _operation(
    "diffPrompt",
    [
        *_IN_PROJECT,
        _NAME_OR_ID,
        _query("from", {"anyOf": [_COUNT, _BLANK]}, "The older version; else the one before.", 1),
        _query("to", {"anyOf": [_COUNT, _BLANK]}, "The newer version; else the newest.", 2),
        _IF_NONE_MATCH,
    ],
    {
        "200": _answer(
            "What changed.",
            _ref("Diff"),
            {
                "name": "summarise",
                "from": 1,
                "to": 2,
                "changes": ['config.model: "gpt-w" → "gpt-x"'],
                "texts": [{"title": "the text", "diff": "@@ -1 +1 @@\n-Sum up\n+Summarise"}],
            },
        ),
        **_NOT_MODIFIED,
    },
    scope=_READ,
)
RESOLVE: Final = _operation(
    "resolvePrompt",
    [
        *_IN_PROJECT,
        _PROMPT_NAME,
        _VERSION_QUERY | {"description": "A version; else the newest."},
        _query("version_id", {"anyOf": [_ID, _BLANK]}, "The id of a version.", _VERSION["id"]),
        _query(
            "limit",
            {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 100}, _BLANK]},
            "How many versions.",
            50,
        ),
        _query(
            "offset",
            {"anyOf": [{"type": "integer", "minimum": 0}, _BLANK]},
            "How many newer versions are left out.",
            0,
        ),
        _query(
            "before_version",
            {"anyOf": [_COUNT, _BLANK]},
            "Only older versions than this; not with an offset.",
            3,
        ),
        _IF_NONE_MATCH,
    ],
    {
        "200": _answer(
            "The version and a page of the history.",
            _ref("Resolved"),
            {"prompt": _FULL, "versions": [_VERSION], "has_more": False, "labels": [_LABEL]},
        ),
        **_NOT_MODIFIED,
    },
    scope=_READ,
)
TEXT_REPR: Final = _operation(
    "textRepr",
    _IN_PROJECT,
    {
        "200": _answer(
            "The text.",
            _object({"text": _STRING, "metadata": {"type": "object"}}),
            {
                "text": "GENERATION",
                "metadata": {
                    "event_type": "$ai_generation",
                    "event_id": "g1",
                    "trace_id": None,
                    "rendering": "detailed",
                    "char_count": 10,
                    "truncated": False,
                },
            },
        ),
        "400": _answer(
            "What is wrong, by field; or one fault of the data.",
            {"type": "object"},
            {"event_type": ["This field is required."]},
        ),
    },
    scope="llm_analytics:write",
    body=_body(
        _object(
            {
                "event_type": {"enum": list(EVENT_TYPES)},
                "data": {"type": "object"},
                "options": {"type": "object"},
            },
            ["event_type", "data"],
        ),
        {
            "event_type": "$ai_generation",
            "data": {"id": "g1", "event": "$ai_generation", "properties": {"$ai_input": "Hi"}},
        },
    ),
)


def _unbuilt(identifier: str, what: str, scope: str) -> _Json:
    answers = {"501": _refusal("It is not built yet.", not_built(what))}
    return _operation(identifier, _IN_PROJECT, answers, scope=scope, status=501)


TRANSLATE: Final = _unbuilt("translate", "translate", "llm_analytics:write")
LOG_ATTRIBUTES: Final = _unbuilt("logAttributes", "logs/attributes", "logs:read")
EXPLAIN_LOG: Final = _unbuilt("explainLog", "logs/explainLogWithAI", "logs:write")
HEALTH: Final = _operation(
    "health",
    [],
    {
        "200": _answer("All is well.", _ref("Health"), {"status": "ok"}),
        "503": _answer("A repository cannot be read.", _ref("Health"), {"status": "failing"}),
    },
)
