"""What an agent can do beside rendering: search, read, compare, check and propose a change."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple

from mcp import types
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from promptstore.compare.diff import diff_prompts
from promptstore.errors import (
    ConflictError,
    HistoryUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PromptFileError,
    PromptStoreError,
)
from promptstore.git.reading import blob_id
from promptstore.lint.findings import Finding
from promptstore.mcp.access import Access
from promptstore.mcp.resources import file_uri, find_file, is_number
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import signature
from promptstore.model.values import is_unicode
from promptstore.model.versions import PromptInfo
from promptstore.review.drafts import new_problems, overlay, settings_of
from promptstore.review.reports import diff_as_json, finding_as_json
from promptstore.store.snapshot import Snapshot

_LONGEST_WORD: Final = 100


def _unicode(text: str) -> str:
    if not is_unicode(text):
        raise ValueError("it holds half of a surrogate pair, which no UTF-8 can carry")
    return text


Name = Annotated[str, Field(description="The prompt's name, such as support/triage.")]
Version = Annotated[int | None, Field(description="The number of a version.", ge=1)]
Label = Annotated[str | None, Field(description="A label, such as production.")]
Selector = Annotated[
    int | str | None, Field(description="The number of a version, or a label; null is the newest.")
]
Source = Annotated[
    str,
    AfterValidator(_unicode),
    Field(description="The whole text of the prompt's file, in YAML."),
]


def _without_titles(schema: dict[str, Any]) -> None:
    """Take away what repeats the names: a model pays for each word."""
    for part in (schema, *schema["properties"].values()):
        part.pop("title", None)


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_titles)


class _Search(_Arguments):
    query: Annotated[
        str | None, Field(description="What the name, the description, a tag or a text must hold.")
    ] = None
    prefix: Annotated[str, Field(description="How names must begin, such as support/.")] = ""
    tag: Annotated[str | None, Field(description="A tag that they must have.")] = None
    label: Annotated[
        str | None, Field(description="Only prompts with this label, as it has them.")
    ] = None
    deleted: Annotated[bool, Field(description="Whether deleted prompts count too.")] = False
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class _Get(_Arguments):
    name: Name
    version: Version = None
    label: Label = None


class _History(_Arguments):
    name: Name
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class _Diff(_Arguments):
    name: Name
    before: Annotated[
        int | str | None,
        Field(description="A version or a label; null is the version before the other one."),
    ] = None
    after: Selector = None


class _Render(_Get):
    variables: Annotated[
        dict[str, Any], Field(description="The values by variable name, each of its type.")
    ] = {}


class _Check(_Arguments):
    name: Name
    source: Source


class _Propose(_Check):
    message: Annotated[str, Field(description="What changes and why: the commit's message.")]
    branch: Annotated[
        str | None, Field(description="The name of the new branch; null makes one.")
    ] = None
    expected_version: Annotated[
        int | None,
        Field(description="The version that the change was made from; 0 for a new prompt.", ge=0),
    ] = None


def _search(access: Access, asked: _Search) -> dict[str, Any]:
    snapshot = access.store.snapshot(label=asked.label)
    prompts, broken = snapshot.list_readable(
        asked.prefix, tag=asked.tag, search=asked.query, deleted=asked.deleted
    )
    shown = prompts[: asked.limit]
    infos = snapshot.infos([prompt.name or "" for prompt in shown])
    rows = [_row(prompt, infos.get(prompt.name or "")) for prompt in shown]
    return {
        "prompts": rows,
        "total": len(prompts),
        "broken": [access.explain(error) for error in broken],
    }


def _row(prompt: Prompt, info: PromptInfo | None) -> dict[str, Any]:
    return {
        "name": prompt.name,
        "version": prompt.version,
        "labels": list(info.labels) if info else [],
        "description": prompt.description,
        "tags": list(prompt.tags),
        "deleted": prompt.deleted,
    }


def _get(access: Access, asked: _Get) -> dict[str, Any]:
    store, name = access.store, asked.name
    prompt = store.get(name, version=asked.version, label=asked.label, deleted=True)
    info = store.info(name, version=asked.version, label=asked.label)
    required = signature(prompt).required
    variables = {
        key: {
            "type": variable.type,
            "required": key in required,
            "description": variable.description,
            **({"enum": list(variable.enum)} if variable.enum else {}),
            **({"default": variable.default} if variable.has_default else {}),
        }
        for key, variable in signature(prompt).variables.items()
    }
    return {
        **_row(prompt, info),
        "commit": prompt.commit,
        "updated_at": info.updated_at and info.updated_at.isoformat(),
        "updated_by": info.updated_by,
        "replaced_by": prompt.replaced_by,
        "digest": prompt.digest,
        "includes": sorted(prompt.includes),
        "variables": variables,
        "uri": file_uri(store, name),
        "source": find_file(store, name, asked.version, asked.label).read().decode(),
    }


def _history(access: Access, asked: _History) -> dict[str, Any]:
    versions = access.store.history(asked.name)
    rows = [
        {**dataclasses.asdict(one), "committed_at": one.committed_at.isoformat()}
        for one in versions[: asked.limit]
    ]
    return {"versions": rows, "total": len(versions)}


def _diff(access: Access, asked: _Diff) -> dict[str, Any]:
    after = _selected(access, asked.name, asked.after)
    if asked.before is not None:
        before = _selected(access, asked.name, asked.before)
    elif after.version is None:
        raise HistoryUnavailableError(reason="give both ends as labels.")
    elif after.version == 1:
        raise InvalidArgumentError(
            message=f"{asked.name!r} has no version before version 1; give `before`"
        )
    else:
        before = access.store.get(asked.name, version=after.version - 1, deleted=True)
    ends = {"before": before, "after": after}
    sides = {end: {"version": one.version, "commit": one.commit} for end, one in ends.items()}
    return {"name": asked.name, **sides, **diff_as_json(diff_prompts(before, after))}


def _selected(access: Access, name: str, selector: int | str | None) -> Prompt:
    """Read a prompt by a version or a label; many clients write a number as a string."""
    if isinstance(selector, str) and not is_number(selector):
        return access.store.get(name, label=selector, deleted=True)
    version = None if selector is None else int(selector)
    return access.store.get(name, version=version, deleted=True)


def _render(access: Access, asked: _Render) -> dict[str, Any]:
    rendered = access.store.render(
        asked.name, asked.variables, version=asked.version, label=asked.label
    )
    keys = ("name", "version", "label", "commit", "digest", "messages", "config")
    text = {} if rendered.is_chat else {"text": rendered.text}
    return {**{key: getattr(rendered, key) for key in keys}, **text}


def _check(access: Access, asked: _Check) -> dict[str, Any]:
    base = access.store.snapshot()
    found = _problems(access, base, asked.name, asked.source.encode())
    fails = any(finding.severity == "error" for finding in found)
    return {"ok": not fails, "findings": [finding_as_json(finding) for finding in found]}


def _problems(access: Access, base: Snapshot, name: str, data: bytes) -> list[Finding]:
    after = overlay(base, access.store.root, {name: data})
    return new_problems(base, after, {name}, settings_of(access.store))


def _propose(access: Access, asked: _Propose) -> dict[str, Any]:
    store, name, data = access.store, asked.name, asked.source.encode()
    if not access.may_write:
        raise InvalidArgumentError(
            message="nothing may be proposed here: that takes a key with the scope "
            "llm_prompt:write, and a server without --read-only"
        )
    base = store.snapshot()
    findings = _problems(access, base, name, data)
    wrong = [one.problem for one in findings if one.severity == "error"]
    if wrong:
        raise PromptFileError(path=findings[0].path, problems=wrong)
    file = base.find(name)
    if file is not None and file.blob == blob_id(data):
        raise ConflictError(names=[name], reason="its file says this already: nothing to propose.")
    branch = asked.branch or f"propose/{name.replace('/', '-')[:_LONGEST_WORD]}-{blob_id(data)[:7]}"
    expected = {} if asked.expected_version is None else {name: asked.expected_version}
    done = store.commit(
        {name: data},
        expected_versions=expected,
        base=base,
        new_branch=branch,
        message=asked.message,
        author=access.author,
    )
    prompt = done[name]
    before = base.read(name, deleted=True) if file else None
    return {
        "branch": branch,
        "commit": prompt.snapshot_commit,
        "diff": diff_as_json(diff_prompts(before, prompt)) if before else None,
        "findings": [finding_as_json(one) for one in findings],
        "warnings": list(prompt.warnings),
        "next": f"`git push origin {shlex.quote(branch)}`, then open a pull request.",
    }


class _Tool(NamedTuple):
    """A tool: what a person reads, what a model reads, what it takes and what answers."""

    title: str
    description: str
    arguments: type[BaseModel]
    run: Callable[[Access, Any], dict[str, Any]]
    writes: bool = False


_TOOLS: Final[Mapping[str, _Tool]] = {
    "search_prompts": _Tool(
        "Search prompts",
        "Find prompts by what their name, description, tags or texts hold.",
        _Search,
        _search,
    ),
    "get_prompt": _Tool(
        "Get a prompt",
        "Read one prompt, at any version or label: its file in YAML, its variables, its labels.",
        _Get,
        _get,
    ),
    "prompt_history": _Tool(
        "History of a prompt",
        "List the versions of a prompt, newest first: who changed it, when, why, and its labels.",
        _History,
        _history,
    ),
    "diff_prompt": _Tool(
        "Compare versions",
        "Show what changed in a prompt between two versions or labels.",
        _Diff,
        _diff,
    ),
    "render_prompt": _Tool(
        "Render a prompt",
        "Fill a prompt with values: the messages and the config for a model.",
        _Render,
        _render,
    ),
    "check_prompt": _Tool(
        "Check a prompt",
        "Find what would be wrong with a prompt if its file were this, writing nothing.",
        _Check,
        _check,
    ),
    "propose_change": _Tool(
        "Propose a change",
        "Commit a new text of a prompt's file on a new branch, for people to review. The served "
        "branch stays as it is. Check the text first.",
        _Propose,
        _propose,
        writes=True,
    ),
}


def list_tools(access: Access, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    """List the tools that the sender of a request may use."""
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name=name,
                title=tool.title,
                description=tool.description,
                input_schema=tool.arguments.model_json_schema(),
                annotations=types.ToolAnnotations(
                    read_only_hint=not tool.writes, destructive_hint=False, open_world_hint=False
                ),
            )
            for name, tool in _TOOLS.items()
            if access.may_write or not tool.writes
        ]
    )


def call_tool(access: Access, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Call a tool; what is wrong with the call is a result that the model can read.

    Raises:
        NotFoundError: There is no such tool.
    """
    name, arguments = params.name, params.arguments or {}
    tool = _TOOLS.get(name)
    if tool is None:
        raise NotFoundError(f"There is no tool {name!r}; the tools are {', '.join(_TOOLS)}.")
    try:
        result = tool.run(access, tool.arguments.model_validate(arguments))
    except ValidationError as error:
        return _failed(f"{name} was called with wrong arguments: {_faults(error)}.")
    except PromptStoreError as error:
        return _failed(access.explain(error))
    text = json.dumps(result, ensure_ascii=False, indent=2)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=result)


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
    )


def _failed(sentence: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=sentence)], is_error=True)
