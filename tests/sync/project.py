"""A remote project in memory that speaks both dialects of the API, as JSON in and out."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

Dialect = Literal["legacy", "current"]

USER = {
    "id": 7,
    "uuid": "5f5f5f5f-0000-4000-8000-000000000007",
    "distinct_id": "grace",
    "first_name": "Grace",
    "last_name": "Remote",
    "email": "grace@remote.example",
    "is_email_verified": True,
    "hedgehog_config": {},
    "role_at_organization": "engineering",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_PATH = re.compile(r"/api/(?:environments|projects)/[^/]+/llm_prompts/?(.*)")


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, **body: Any) -> None:
        self.status = status
        self.body = body


@dataclass
class Version:
    id: str
    prompt: Any
    config: dict[str, Any] | None
    number: int
    description: str | None
    made: str
    at: str


@dataclass
class FakeProject:
    """The prompts of a project.

    Attributes:
        dialect: The generation of the API that it speaks.
        prompts: The versions of each active prompt, oldest first.
        archived: The versions of prompts that were archived.
        labels: The version by prompt and label.
        writes: What was written, in order: verb and name.
        unarchives: Whether it can bring archived prompts back, as the newest servers do.
    """

    dialect: Dialect = "current"
    prompts: dict[str, list[Version]] = field(default_factory=dict)
    archived: list[tuple[str, list[Version]]] = field(default_factory=list)
    labels: dict[tuple[str, str], int] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    unarchives: bool = True
    _clock: int = 0

    def handle(
        self, method: str, path: str, query: Mapping[str, str], body: Any
    ) -> tuple[int, Any]:
        """Answer one request with a status and JSON."""
        found = _PATH.fullmatch(path)
        if not found:
            return 404, {"type": "invalid_request", "code": "not_found", "detail": "Not found."}
        words = [unquote(word) for word in found[1].strip("/").split("/") if word]
        try:
            return self._route(method, words, query, body)
        except RefusalError as refusal:
            return refusal.status, refusal.body

    def edit(self, name: str, prompt: Any, config: dict[str, Any] | None = None) -> None:
        """Change a prompt as a person does in the web app."""
        if name not in self.prompts:
            self.create({"name": name, "prompt": prompt, "config": config})
        elif self.dialect == "legacy":
            self.prompts[name][0].prompt = prompt
            self.prompts[name][0].at = self._now()
        else:
            self._append(name, prompt, config, None)
        self.writes.clear()

    def remove(self, name: str) -> None:
        """Archive a prompt as a person does in the web app."""
        self.archive(name)
        self.writes.clear()

    def texts(self) -> dict[str, Any]:
        """Give the newest content by name."""
        return {name: versions[-1].prompt for name, versions in self.prompts.items()}

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        name = body["name"]
        if not _NAME.fullmatch(name):
            raise invalid("invalid_name", "Only letters, numbers, hyphens (-) and …", "name")
        if name in self.prompts:
            raise invalid("unique", "A prompt with this name already exists.", "name")
        if body["prompt"] is None:
            raise invalid("null", "This field may not be null.", "prompt")
        self.prompts[name] = []
        config = body.get("config") if self.dialect == "current" else None
        self._append(name, body["prompt"], config, body.get("version_description"))
        self.writes.append(("create", name))
        return self.row(name)

    def publish(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        versions = self._versions(name)
        if body["base_version"] != versions[-1].number:
            raise RefusalError(
                409, detail="The prompt changed since.", current_version=versions[-1].number
            )
        config = body["config"] if "config" in body else versions[-1].config
        self._append(name, body["prompt"], config, body.get("version_description"))
        self.writes.append(("publish", name))
        return self.row(name)

    def patch(self, prompt_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        name = next((key for key, found in self.prompts.items() if found[0].id == prompt_id), None)
        if name is None:
            raise missing()
        version = self.prompts[name][0]
        if "prompt" in body:
            version.prompt = body["prompt"]
            self.writes.append(("publish", name))
        version.at = self._now()
        if body.get("deleted"):
            row = self.row(name) | {"deleted": True}
            self.archive(name)
            return row
        return self.row(name)

    def archive(self, name: str) -> None:
        self.archived.append((name, self._versions(name)))
        del self.prompts[name]
        self.labels = {key: number for key, number in self.labels.items() if key[0] != name}
        self.writes.append(("archive", name))

    def unarchive(self, name: str) -> dict[str, Any]:
        found = [versions for owner, versions in self.archived if owner == name]
        if not found:
            raise missing()
        if name in self.prompts:
            raise invalid("unique", "A prompt with this name already exists.", "name")
        self.archived.remove((name, found[-1]))
        self.prompts[name] = found[-1]
        self.writes.append(("unarchive", name))
        return self.row(name)

    def remove_label(self, name: str, label: str) -> None:
        if (name, label) not in self.labels:
            raise missing()
        del self.labels[name, label]
        self.writes.append(("remove label", name))

    def label(self, name: str, label: str, number: int) -> dict[str, Any]:
        if number not in {version.number for version in self._versions(name)}:
            raise missing()
        self.labels[name, label] = number
        self.writes.append(("label", name))
        return {"name": label, "prompt_name": name, "version": number}

    def row(self, name: str, number: int | None = None) -> dict[str, Any]:
        """Give a prompt as an answer holds it, by default at its newest version."""
        versions = self._versions(name)
        newest = versions[-1]
        shown = next((one for one in versions if number in (None, one.number)), None)
        if shown is None:
            raise missing()
        shown = newest if number is None else shown
        row = {
            "id": shown.id,
            "name": name,
            "prompt": shown.prompt,
            "version": shown.number,
            "created_by": USER,
            "created_at": shown.made,
            "updated_at": shown.at,
            "deleted": False,
        }
        if self.dialect == "legacy":
            return row
        content = shown.prompt
        return row | {
            "prompt": content if isinstance(content, str) else json.dumps(content),
            "config": shown.config,
            "version_description": shown.description,
            "is_latest": shown is newest,
            "latest_version": newest.number,
            "version_count": len(versions),
            "outline": [],
            "labels": [],
            "all_labels": [
                {"name": label, "version": number}
                for (owner, label), number in sorted(self.labels.items())
                if owner == name
            ],
        }

    def page(self, query: Mapping[str, str]) -> dict[str, Any]:
        limit, offset = int(query.get("limit", 100)), int(query.get("offset", 0))
        names = sorted(self.prompts)
        more = offset + limit < len(names)
        return {
            "count": len(names),
            "next": f"http://else.where/api/?limit={limit}&offset={offset + limit}"
            if more
            else None,
            "previous": None,
            "results": [self.row(name) for name in names[offset : offset + limit]],
        }

    def _route(
        self, method: str, words: list[str], query: Mapping[str, str], body: Any
    ) -> tuple[int, Any]:
        is_current = self.dialect == "current"
        match method, words:
            case "GET", []:
                return 200, self.page(query)
            case "POST", []:
                return 201, self.create(body)
            case "GET", ["name", name]:
                number = query.get("version") if is_current else None
                return 200, self.row(name, int(number) if number else None)
            case "PATCH", ["name", name] if is_current:
                return 200, self.publish(name, body)
            case "POST", ["name", name, "archive"] if is_current:
                self.archive(name)
                return 204, None
            case "POST", ["name", name, "unarchive"] if is_current and self.unarchives:
                return 200, self.unarchive(name)
            case "DELETE", ["name", name, "labels", label] if is_current:
                self.remove_label(name, label)
                return 204, None
            case "PUT", ["name", name, "labels", label] if is_current:
                return 200, self.label(name, label, body["version"])
            case "PATCH", [prompt_id] if not is_current:
                return 200, self.patch(prompt_id, body)
        raise missing()

    def _versions(self, name: str) -> list[Version]:
        if name not in self.prompts:
            raise RefusalError(404, detail=f"Prompt with name '{name}' not found.")
        return self.prompts[name]

    def _append(
        self, name: str, prompt: Any, config: dict[str, Any] | None, description: str | None
    ) -> None:
        number = len(self.prompts[name]) + 1
        now = self._now()
        version = Version(str(uuid.uuid4()), prompt, config, number, description, now, now)
        self.prompts[name].append(version)

    def _now(self) -> str:
        self._clock += 1
        return f"2026-01-01T00:{self._clock // 60 % 60:02}:{self._clock % 60:02}.{self._clock:06}Z"


def invalid(code: str, detail: str, attr: str) -> RefusalError:
    return RefusalError(400, type="validation_error", code=code, detail=detail, attr=attr)


def missing() -> RefusalError:
    return RefusalError(
        404, type="invalid_request", code="not_found", detail="Not found.", attr=None
    )
