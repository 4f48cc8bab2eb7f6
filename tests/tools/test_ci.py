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

from promptstore import __version__
from tests.gitrepo import GitRepo
from tests.review.test_posting import TOKEN, Forge, forge

__all__ = ["forge"]

TOP = Path(__file__).parents[2]
ACTION = YAML(typ="safe").load((TOP / ".github/actions/review/action.yml").read_text())
STEPS = {step["name"].split()[0]: step for step in ACTION["runs"]["steps"]}
TEMPLATE = list(YAML(typ="safe").load_all((TOP / ".gitlab/promptstore.yml").read_text()))
JOB: Any = TEMPLATE[1]["promptstore"]
INPUTS = {
    "${{ inputs.base }}": "BASE", "${{ inputs.head }}": "HEAD", "${{ inputs.root }}": "ROOT",
    "${{ inputs.fail-on-breaking }}": "FAIL", "${{ inputs.token }}": "GITHUB_TOKEN",
    "${{ inputs.version }}": "VERSION",
}  # fmt: skip

# Whatever Python finds first in the folder that it runs in, or by the environment, would be run.
STRANGER = "open({marker!r}, 'w').close()\n"
SHADOWED = ("venv", "logging", "pip", "promptstore", "typer", "json", "sitecustomize")


@pytest.fixture
def runner(repo: GitRepo, tmp_path: Path) -> dict[str, str]:
    """The variables of a runner that has installed the promptstore under test."""
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    repo.commit({"prompts/a.yaml": "prompt: y\n", "prompts/b.yaml": "prompt: 'z '\n"})
    folder = tmp_path / "temp/promptstore/bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    (folder.parent / "pyvenv.cfg").write_text(
        (Path(sys.prefix) / "pyvenv.cfg").read_text(encoding="utf-8")
    )
    (folder.parent / "lib").symlink_to(Path(sys.prefix) / "lib")
    marker = str(tmp_path / "was-run")
    for module in SHADOWED:
        repo.write(f"{module}.py", STRANGER.format(marker=marker))
    return {
        **os.environ,
        "RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_WORKSPACE": str(repo.path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "PYTHONPATH": str(repo.path),
        "ROOT": "prompts", "BASE": repo.git("rev-parse", "HEAD~1"), "HEAD": repo.head(),
        "FAIL": "false", "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "ada/notes",
        "GITHUB_REF": "refs/pull/7/merge", "TMPDIR": str(tmp_path / "temp"),
        "CI_PROJECT_DIR": str(repo.path), "PROMPTSTORE_ROOT": "prompts",
    }  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_of_the_checkout_is_run(tmp_path: Path) -> Any:
    """Fail where a script has run a file of the pull request."""
    yield
    assert not (tmp_path / "was-run").exists()


def bash(script: str, folder: str, environment: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def run_step(name: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run a step of the action with the variables that it asks for, and no other secret."""
    step = STEPS[name]
    assert step["working-directory"] == "${{ runner.temp }}"
    given = {key: environment.pop(key) for key in INPUTS.values() if key in environment}
    asked = {key: given.get(INPUTS[value], "") for key, value in step["env"].items()}
    return bash(step["run"], environment["RUNNER_TEMP"], environment | asked)


def test_the_action_reviews_without_a_token(runner: dict[str, str], tmp_path: Path) -> None:
    code, output = run_step("Review", runner)
    assert code == 0, output
    assert "**behaviour**" in (tmp_path / "summary.md").read_text()


def test_the_action_comments(runner: dict[str, str], forge: Forge) -> None:
    code, output = run_step("Comment", runner | {"GITHUB_API_URL": forge.address})
    assert code == 0, output
    (comment,) = forge.comments
    assert "**behaviour**" in comment["body"]


def test_the_action_goes_on_where_it_may_not_comment(runner: dict[str, str], forge: Forge) -> None:
    forge.status = 403
    code, output = run_step("Comment", runner | {"GITHUB_API_URL": forge.address})
    assert code == 0, output
    assert "::warning::The comment could not be posted" in output
    assert TOKEN not in output


def test_the_action_annotates_and_fails(runner: dict[str, str]) -> None:
    code, output = run_step("Check", runner | {"GITHUB_ACTIONS": "true"})
    assert code == 1, output
    assert "::warning file=prompts/b.yaml,line=1,col=9,title=PS505::" in output


def test_only_the_step_that_comments_has_the_token() -> None:
    with_token = [
        name for name, step in STEPS.items() if "inputs.token" in str(step.get("env", {}))
    ]
    assert with_token == ["Comment"]
    assert "secrets" not in str(ACTION)


FAKE_PYTHON = """#!/bin/sh
[ "$1 $2 $3" = "-I -m venv" ] || exit 3
mkdir -p "$4/bin"
cat > "$4/bin/python" <<'END'
#!/bin/sh
[ "$1 $2 $3" = "-I -m pip" ] || exit 4
pwd
printf "%s\\n" "$@"
END
chmod +x "$4/bin/python"
"""


@pytest.fixture
def installing(tmp_path: Path) -> dict[str, str]:
    """The variables of a runner whose Python only says what it is asked for."""
    for folder in ("bin", "temp", "workspace"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin/python3").write_text(FAKE_PYTHON)
    (tmp_path / "bin/python3").chmod(0o755)
    return {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path / "temp"), "TMPDIR": str(tmp_path / "temp"),
        "GITHUB_WORKSPACE": str(tmp_path / "workspace"),
        "GITHUB_ACTION_PATH": str(TOP / ".github/actions/review"),
    }  # fmt: skip


@pytest.mark.parametrize("version", ["", "git-promptstore[cli]==0.1.0"])
def test_the_action_installs_its_own_code_or_a_version(
    installing: dict[str, str], version: str
) -> None:
    code, output = run_step("Install", installing | {"VERSION": version})
    assert code == 0, output
    folder, *_, wanted = output.splitlines()
    assert folder == installing["RUNNER_TEMP"]
    if version:
        assert wanted == version
    else:
        assert wanted.endswith("[cli]")
        assert (Path(wanted.removesuffix("[cli]")) / "pyproject.toml").samefile(
            TOP / "pyproject.toml"
        )


def test_the_action_does_not_install_the_checkout(installing: dict[str, str]) -> None:
    inside = installing | {"GITHUB_WORKSPACE": str(TOP)}
    code, output = run_step("Install", dict(inside))
    assert code == 1
    assert output.startswith("::error::This action lies in the checkout")
    code, output = run_step("Install", inside | {"VERSION": "git-promptstore[cli]==0.1.0"})
    assert code == 0, output


def test_no_input_of_the_action_is_run_as_code() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_python_is_isolated_wherever_it_is_run() -> None:
    scripts = [step["run"] for step in ACTION["runs"]["steps"]] + JOB["script"]
    lines = [line for script in scripts for line in script.splitlines() if "python" in line]
    assert len(lines) >= 8
    assert [line for line in lines if "python3 -I" not in line and "/python" not in line] == []
    assert [line for line in lines if " -I -m " not in line] == []


def test_the_template_comments(
    repo: GitRepo, runner: dict[str, str], forge: Forge, tmp_path: Path
) -> None:
    repo.commit({"prompts/b.yaml": "prompt: z\n"})
    environment = runner | {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": repo.git("rev-parse", "HEAD~1"),
        "CI_COMMIT_SHA": repo.head(), "CI_PROJECT_ID": "ada/notes", "CI_MERGE_REQUEST_IID": "7",
        "CI_API_V4_URL": forge.address,
    }  # fmt: skip
    for key in ("GITHUB_REPOSITORY", "GITHUB_TOKEN"):
        environment.pop(key)
    script = "\n".join([f"cd {tmp_path / 'temp'}; token={TOKEN}", *JOB["script"][1:]])
    code, output = bash(script, str(repo.path), environment)
    assert code == 0, output
    assert len(forge.comments) == 1


def test_the_template_installs_elsewhere_and_without_the_token(
    installing: dict[str, str],
) -> None:
    version = TEMPLATE[0]["spec"]["inputs"]["version"]["default"]
    environment = installing | {"GITLAB_TOKEN": TOKEN, "PROMPTSTORE_VERSION": version}
    script = JOB["script"][0] + "\nenv"
    code, output = bash(script, installing["GITHUB_WORKSPACE"], environment)
    assert code == 0, output
    assert output.splitlines()[0].startswith(installing["TMPDIR"])
    assert TOKEN not in output


def test_the_template_pins_the_version_that_it_is_part_of() -> None:
    assert set(TEMPLATE[0]["spec"]["inputs"]) == {"stage", "root", "version"}
    pinned = TEMPLATE[0]["spec"]["inputs"]["version"]["default"]
    assert pinned == f"git-promptstore[cli]=={__version__}"
    assert JOB["variables"]["GIT_DEPTH"] == "0"
