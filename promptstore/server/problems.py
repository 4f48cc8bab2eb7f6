"""Every answer that says no: the error envelope, the special bodies, and the library's errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from promptstore import errors

_NAME_RULE: Final = "Only letters, numbers, hyphens (-) and underscores (_) are allowed."


class RefusedError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: The HTTP status.
        body: The JSON of the answer.
        headers: Further headers.
    """

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def envelope(kind: str, code: str, detail: str, attr: str | None = None) -> dict[str, Any]:
    """Make the usual body of an error: ``type``, ``code``, ``detail``, ``attr``."""
    return {"type": kind, "code": code, "detail": detail, "attr": attr}


def invalid(code: str, detail: str, attr: str | None = None) -> RefusedError:
    """Refuse a value of the request (400)."""
    return RefusedError(400, envelope("validation_error", code, detail, attr))


def required(attr: str) -> RefusedError:
    """Refuse a request that leaves out a field (400)."""
    return invalid("required", "This field is required.", attr)


def invalid_name(attr: str = "name") -> RefusedError:
    """Refuse a name that a prompt cannot have (400)."""
    return invalid("invalid_name", _NAME_RULE, attr)


def taken_name(attr: str = "name") -> RefusedError:
    """Refuse a name that another prompt has (400)."""
    return invalid("unique", "A prompt with this name already exists.", attr)


def malformed(reason: str) -> RefusedError:
    """Refuse a body that is no JSON (400)."""
    detail = f"JSON parse error - {reason}"
    return RefusedError(400, envelope("invalid_request", "parse_error", detail))


def unauthenticated(code: str, detail: str) -> RefusedError:
    """Refuse a request whose sender is not known (401)."""
    body = envelope("authentication_error", code, detail)
    return RefusedError(401, body, {"WWW-Authenticate": "Bearer"})


def no_key() -> RefusedError:
    """Refuse a request without a key (401)."""
    return unauthenticated("not_authenticated", "Authentication credentials were not provided.")


def no_scope(scope: str) -> RefusedError:
    """Refuse what the scopes of a key do not reach (403)."""
    return forbidden(f"API key missing required scope '{scope}'")


def forbidden(detail: str) -> RefusedError:
    """Refuse what the sender may not do (403)."""
    return RefusedError(403, envelope("authentication_error", "permission_denied", detail))


def not_found(detail: str = "Not found.") -> RefusedError:
    """Say that there is nothing here (404)."""
    return RefusedError(404, envelope("invalid_request", "not_found", detail))


def no_such_prompt(name: str) -> RefusedError:
    """Say that there is no prompt of this name (404)."""
    return only_detail(
        404,
        f"No prompt matching '{name}' in this project. "
        "List the project's prompts to see which names exist.",
    )


def only_detail(status: int, detail: str, **more: Any) -> RefusedError:
    """Refuse with a body that has no envelope: ``detail`` and what a route adds to it."""
    return RefusedError(status, {"detail": detail, **more})


def stale(current: int) -> RefusedError:
    """Refuse a write that was made for an older version (409)."""
    return only_detail(
        409,
        "The prompt changed since you opened it. Reload the latest version and try again.",
        current_version=current,
    )


def precondition_failed() -> RefusedError:
    """Refuse a write whose If-Match names another state (412)."""
    detail = "The prompt is in another state than If-Match says. Read it again, then write."
    return RefusedError(412, envelope("invalid_request", "precondition_failed", detail))


def no_deletion() -> RefusedError:
    """Say that nothing is deleted for good, and what to do instead (405)."""
    detail = (
        'Hard delete of this model is not allowed. Use a patch API call to set "deleted" to true'
    )
    body = envelope("invalid_request", "method_not_allowed", detail)
    return RefusedError(405, body, {"Allow": "GET, HEAD, PATCH, PUT"})


def not_built(what: str) -> RefusedError:
    """Say that a documented route is not built yet (501)."""
    detail = f"{what} is part of the API but not built yet in this server."
    return RefusedError(501, envelope("server_error", "not_implemented", detail))


class Verdict(NamedTuple):
    """How an error of the library is answered.

    Attributes:
        status: The HTTP status.
        kind: The ``type`` of the body.
        code: The ``code`` of the body.
        detail: The ``detail``; None is the error's own sentence. An error that may name paths of
            this machine has a fixed one.
        attr: The ``attr`` of the body.
    """

    status: int
    kind: str
    code: str
    detail: str | None = None
    attr: str | None = None


_GONE: Final = Verdict(404, "invalid_request", "not_found", "Not found.")
_UNWELL: Final = Verdict(
    503,
    "server_error",
    "repository_unavailable",
    "The repository cannot be used at the moment; the server's log says why.",
)
_TEMPLATE: Final = Verdict(400, "validation_error", "invalid_template", attr="prompt")

VERDICTS: Final[Mapping[type[errors.PromptStoreError], Verdict]] = {
    errors.PromptStoreError: _UNWELL,
    errors.InvalidNameError: Verdict(400, "validation_error", "invalid_name", _NAME_RULE, "name"),
    errors.InvalidArgumentError: Verdict(400, "validation_error", "invalid_input"),
    errors.NotFoundError: _GONE,
    errors.PromptNotFoundError: _GONE,
    errors.PromptDeletedError: _GONE,
    errors.VersionNotFoundError: _GONE,
    errors.LabelNotFoundError: _GONE,
    errors.RevisionNotFoundError: _UNWELL,
    errors.HistoryUnavailableError: _UNWELL,
    errors.PromptFileError: Verdict(500, "server_error", "broken_prompt_file"),
    errors.TemplateError: _TEMPLATE,
    errors.TemplateSyntaxError: _TEMPLATE,
    errors.IncludeError: _TEMPLATE,
    errors.VariableError: _TEMPLATE,
    errors.RenderError: _TEMPLATE,
    errors.LimitError: _TEMPLATE,
    errors.EventError: Verdict(400, "validation_error", "invalid_input", attr="data"),
    errors.ConflictError: Verdict(409, "invalid_request", "conflict"),
    errors.RepositoryError: _UNWELL,
    errors.RepositoryNotFoundError: _UNWELL,
    errors.UnsupportedRepositoryError: _UNWELL,
    errors.RepositoryLockedError: Verdict(
        503,
        "server_error",
        "repository_locked",
        "Another writer holds the repository. Nothing was changed; try again.",
    ),
    errors.ReadOnlyError: Verdict(
        503, "server_error", "read_only", "The repository of this project cannot be written."
    ),
    errors.MissingExtraError: Verdict(501, "server_error", "not_implemented"),
}
"""How each error class of the library is answered."""


def refusal_for(error: errors.PromptStoreError) -> RefusedError:
    """Turn an error of the library into an answer, by the nearest class in the table."""
    nearest = next(kind for kind in type(error).__mro__ if kind in VERDICTS)
    verdict = VERDICTS[nearest]
    detail = str(error) if verdict.detail is None else verdict.detail
    headers = {"Retry-After": "1"} if verdict.code == "repository_locked" else None
    return RefusedError(
        verdict.status, envelope(verdict.kind, verdict.code, detail, verdict.attr), headers
    )
