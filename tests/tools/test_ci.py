"""The action and the template: their scripts run as a runner would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.gitrepo import GitRepo
from tests.review.test_posting import TOKEN, Forge, forge

__all__ = ["forge"]

TOP = Path(__file__).parents[2]
ACTION = YAML(typ="safe").load((TOP / ".github/actions/review/action.yml").read_text())
TEMPLATE = list(YAML(typ="safe").load_all((TOP / ".gitlab/promptstore.yml").read_text()))


@pytest.fixture
def runner(repo: GitRepo, tmp_path: Path) -> dict[str, str]:
    """The variables of a runner whose promptstore is the one under test."""
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    repo.commit({"prompts/a.yaml": "prompt: y\n", "prompts/b.yaml": "prompt: 'z '\n"})
    folder = tmp_path / "temp/promptstore/bin"
    folder.mkdir(parents=True)
    (folder / "promptstore").write_text(f'#!/bin/sh\nexec {sys.executable} -m promptstore "$@"\n')
    (folder / "promptstore").chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


def bash(repo: GitRepo, script: str, environment: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=repo.path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_action_comments_annotates_and_fails(
    repo: GitRepo, runner: dict[str, str], forge: Forge, tmp_path: Path
) -> None:
    step = ACTION["runs"]["steps"][1]
    runner |= {
        "BASE": repo.git("rev-parse", "HEAD~1"), "HEAD": repo.head(), "ROOT": "prompts",
        "COMMENT": "true", "FAIL": "false", "GITHUB_TOKEN": TOKEN, "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "ada/notes", "GITHUB_API_URL": forge.address,
        "GITHUB_REF": "refs/pull/7/merge",
    }  # fmt: skip
    assert set(step["env"]) <= set(runner)
    code, output = bash(repo, step["run"], runner)
    assert code == 1, output
    assert "::warning file=prompts/b.yaml,line=1,col=9,title=PS505::" in output
    (comment,) = forge.comments
    assert "**behaviour**" in comment["body"]
    assert (tmp_path / "summary.md").read_text() == comment["body"]


def test_the_action_goes_on_where_it_may_not_comment(
    repo: GitRepo, runner: dict[str, str], forge: Forge
) -> None:
    forge.status = 403
    repo.commit({"prompts/b.yaml": "prompt: z\n"})
    runner |= {
        "BASE": repo.git("rev-parse", "HEAD~1"), "HEAD": repo.head(), "ROOT": "prompts",
        "COMMENT": "true", "FAIL": "false", "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPOSITORY": "ada/notes", "GITHUB_API_URL": forge.address,
        "GITHUB_REF": "refs/pull/7/merge",
    }  # fmt: skip
    code, output = bash(repo, ACTION["runs"]["steps"][1]["run"], runner)
    assert code == 0, output
    assert "::warning::The comment could not be posted" in output
    assert TOKEN not in output


FAKE_PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$@"\\n' > "$3/bin/pip"
chmod +x "$3/bin/pip"
"""


@pytest.mark.parametrize("version", ["", "git-promptstore[cli]==0.1.0"])
def test_the_action_installs_its_own_code_or_a_version(
    repo: GitRepo, tmp_path: Path, version: str
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").write_text(FAKE_PYTHON)
    (folder / "python3").chmod(0o755)
    environment = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ACTION_PATH": str(TOP / ".github/actions/review"), "VERSION": version,
    }  # fmt: skip
    code, output = bash(repo, ACTION["runs"]["steps"][0]["run"], environment)
    assert code == 0, output
    wanted = output.splitlines()[-1]
    if version:
        assert wanted == version
    else:
        assert wanted.endswith("[cli]")
        assert (Path(wanted.removesuffix("[cli]")) / "pyproject.toml").samefile(
            TOP / "pyproject.toml"
        )


def test_no_input_of_the_action_is_run_as_code() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_the_template_comments(repo: GitRepo, runner: dict[str, str], forge: Forge) -> None:
    job: Any = TEMPLATE[1]["promptstore"]
    repo.write("prompts/b.yaml", "prompt: z\n")
    repo.commit({"prompts/b.yaml": "prompt: z\n"})
    runner |= {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": repo.git("rev-parse", "HEAD~1"),
        "CI_COMMIT_SHA": repo.head(), "PROMPTSTORE_ROOT": "prompts", "GITLAB_TOKEN": TOKEN,
        "CI_PROJECT_ID": "ada/notes", "CI_MERGE_REQUEST_IID": "7",
        "CI_API_V4_URL": forge.address,
    }  # fmt: skip
    runner.pop("GITHUB_REPOSITORY", None)
    code, output = bash(repo, "\n".join(job["script"][1:]), runner)
    assert code == 0, output
    assert len(forge.comments) == 1


def test_the_template_needs_no_more_than_it_says() -> None:
    assert set(TEMPLATE[0]["spec"]["inputs"]) == {"stage", "root", "version"}
    assert TEMPLATE[1]["promptstore"]["variables"]["GIT_DEPTH"] == "0"
