"""Every answer that refuses: the envelopes of PostHog, from our errors and from pydantic's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from starlette.exceptions import HTTPException

from promptstore import errors
from promptstore.posthog.requests import NAME_RULE


class ApiError(HTTPException):
    """A request that is answered with an error.

    Attributes:
        body: The JSON of the answer.
    """

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, str(body.get("detail", "")), dict(headers or {}))
        self.body = dict(body)


def api_error(
    status: int,
    code: str,
    detail: str,
    attr: str | None = None,
    *,
    kind: str = "invalid_request",
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """Return the error with the usual body: ``type``, ``code``, ``detail``, ``attr``."""
    body = {"type": kind, "code": code, "detail": detail, "attr": attr}
    return ApiError(status, body, headers)


def only_detail(status: int, detail: str, **more: Any) -> ApiError:
    """Return the error whose body has no envelope: ``detail`` and what a route adds to it."""
    return ApiError(status, {"detail": detail, **more})


def invalid(code: str, detail: str, attr: str | None = None) -> ApiError:
    """Return the refusal of a value of the request (400)."""
    return api_error(400, code, detail, attr, kind="validation_error")


def server_error(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> ApiError:
    """Return the answer that the server cannot do what it is asked for (5xx)."""
    return api_error(status, code, detail, kind="server_error", headers=headers)


def taken_name(attr: str = "name") -> ApiError:
    """Return the refusal of a name that another prompt has (400)."""
    return invalid("unique", "A prompt with this name already exists.", attr)


def unauthenticated(code: str, detail: str) -> ApiError:
    """Return the refusal of a request whose sender is not known (401)."""
    headers = {"WWW-Authenticate": "Bearer"}
    return api_error(401, code, detail, kind="authentication_error", headers=headers)


def forbidden(detail: str) -> ApiError:
    """Return the refusal of what the sender may not do (403)."""
    return api_error(403, "permission_denied", detail, kind="authentication_error")


def not_found(detail: str = "Not found.") -> ApiError:
    """Return the answer that there is nothing here (404)."""
    return api_error(404, "not_found", detail)


def no_such_prompt(name: str, *, version: int | None = None, label: str | None = None) -> ApiError:
    """Return the answer that there is no such prompt, version or label (404)."""
    place = "in this project"
    advice = "List the project's prompts to see which names exist."
    if version is not None:
        place = f"at version {version}"
        advice = "Fetch without a version to get the latest version."
    if label is not None:
        place = f"with label '{label}'"
        advice = "Fetch without a label to get the latest version."
    return only_detail(404, f"No prompt matching '{name}' {place}. {advice}")


def stale(current: int) -> ApiError:
    """Return the refusal of a write that was made for an older version (409)."""
    return only_detail(
        409,
        "The prompt changed since you opened it. Reload the latest version and try again.",
        current_version=current,
    )


class _Verdict(NamedTuple):
    status: int
    code: str
    kind: str = "server_error"
    detail: str | None = None
    """None is the error's own sentence; one that may name paths of this machine has a fixed one."""
    attr: str | None = None


_GONE: Final = _Verdict(404, "not_found", "invalid_request", "Not found.")
_BROKEN: Final = _Verdict(
    503,
    "repository_unavailable",
    detail="The repository cannot be used at the moment; the server's log says why.",
)
_TEMPLATE: Final = _Verdict(400, "invalid_template", "validation_error", attr="prompt")

VERDICTS: Final[Mapping[type[errors.PromptStoreError], _Verdict]] = {
    errors.PromptStoreError: _BROKEN,
    errors.InvalidNameError: _Verdict(400, "invalid_name", "validation_error", NAME_RULE, "name"),
    errors.InvalidArgumentError: _Verdict(400, "invalid_input", "validation_error"),
    errors.NotFoundError: _GONE,
    errors.RevisionNotFoundError: _BROKEN,
    errors.PromptFileError: _Verdict(500, "broken_prompt_file"),
    errors.TemplateError: _TEMPLATE,
    errors.EventError: _Verdict(400, "invalid_input", "validation_error", attr="data"),
    errors.ConflictError: _Verdict(409, "conflict", "invalid_request"),
    errors.RepositoryLockedError: _Verdict(
        503,
        "repository_locked",
        detail="Another writer holds the repository. Nothing was changed; try again.",
    ),
    errors.ReadOnlyError: _Verdict(
        503, "read_only", detail="The repository of this project cannot be written."
    ),
    errors.ModelError: _Verdict(500, "model_error", detail="The model gave no answer."),
    errors.LogStoreError: _Verdict(
        503, "logs_unavailable", detail="The logs cannot be used now; the server's log says why."
    ),
    errors.LogStoreBusyError: _Verdict(
        429, "throttled", detail="Too much is under way. Send it again later."
    ),
    errors.LogFormatError: _Verdict(400, "parse_error", "invalid_request"),
    errors.LogsTooLargeError: _Verdict(413, "body_too_large", "invalid_request"),
    errors.MissingExtraError: _Verdict(501, "not_implemented"),
}
"""How each error of the library is answered, by its nearest class here."""


_PASSING: Final = frozenset({"repository_locked", "logs_unavailable", "throttled"})


def error_of(error: errors.PromptStoreError) -> ApiError:
    """Return the answer to an error of the library."""
    verdict = VERDICTS[next(kind for kind in type(error).__mro__ if kind in VERDICTS)]
    detail = str(error) if verdict.detail is None else verdict.detail
    headers = {"Retry-After": "1"} if verdict.code in _PASSING else None
    return api_error(
        verdict.status, verdict.code, detail, verdict.attr, kind=verdict.kind, headers=headers
    )


_DICTIONARY: Final = ("invalid_input", "Invalid data. Expected a dictionary, but got {kind}.")
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("required", "This field is required."),
    "greater_than_equal": ("min_value", "Ensure this value is greater than or equal to {ge}."),
    "less_than_equal": ("max_value", "Ensure this value is less than or equal to {le}."),
    "string_too_long": (
        "max_length",
        "Ensure this field has no more than {max_length} characters.",
    ),
    "too_long": ("max_length", "Ensure this field has no more than {max_length} elements."),
    "literal_error": ("invalid_choice", '"{input}" is not a valid choice.'),
    "list_type": ("not_a_list", 'Expected a list of items but got type "{kind}".'),
    "model_attributes_type": _DICTIONARY,
    "dict_type": _DICTIONARY,
    "string_type": ("invalid_input", "Not a valid string."),
    "string_pattern_mismatch": ("invalid_input", "This field may not be blank."),
}
"""The ``code`` and the ``detail`` for each type of pydantic's errors that has other words."""

_NULL: Final = ("null", "This field may not be null.")


def invalid_request(found: Sequence[Mapping[str, Any]]) -> ApiError:
    """Return the answer to the errors that pydantic found in a request: the first one counts."""
    error = found[0]
    source, *place = error["loc"]
    code, detail = _words(error)
    if source == "path" and error["type"] == "value_error":
        return not_found()
    if place == ["format"]:
        return not_found()
    if source == "body" and not place and code == "required":
        return invalid("null", "No data provided")
    attr = str(place[0]) if place and source != "path" else None
    return invalid(code, detail, f"{attr}__non_field_errors" if code == "not_a_list" else attr)


def errors_by_field(found: Sequence[Mapping[str, Any]]) -> ApiError:
    """Return the answer of routes that list the errors of all fields at once."""
    body: dict[str, Any] = {}
    for error in found:
        place: dict[str, Any] = body
        *parents, key = [str(part) for part in error["loc"][1:]] or ["non_field_errors"]
        for parent in parents:
            place = place.setdefault(parent, {})
        _, detail = _words(error)
        is_object = error["type"] in ("model_attributes_type", "dict_type")
        if is_object and error["input"] is not None:
            place[key] = {"non_field_errors": [detail]}
        else:
            place[key] = [detail]
    return ApiError(400, body)


def _words(error: Mapping[str, Any]) -> tuple[str, str]:
    if error["input"] is None and error["type"] != "missing":
        return _NULL
    code, words = _WORDS.get(error["type"], (error["type"], ""))
    if not words:
        return code, str(error["msg"])
    value = error["input"]
    return code, words.format(**error.get("ctx", {}), input=value, kind=type(value).__name__)
