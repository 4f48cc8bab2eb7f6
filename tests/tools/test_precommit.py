"""The hooks, run by the real pre-commit in a real repository.

The hooks of `.pre-commit-hooks.yaml` are taken from a repository that holds that very file. Only
their language is set to `system`: pre-commit would install the package and what it needs from the
network otherwise, and tests use none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.gitrepo import GitRepo

TOP = Path(__file__).parents[2]
HOOKS = TOP / ".pre-commit-hooks.yaml"


@pytest.fixture
def hooked(repo: GitRepo, tmp_path: Path) -> GitRepo:
    hooks = GitRepo.init(tmp_path / "hooks")
    rev = hooks.commit({".pre-commit-hooks.yaml": HOOKS.read_bytes()})
    ids = [hook["id"] for hook in YAML(typ="safe").load(HOOKS.read_text())]
    config = {
        "repos": [
            {
                "repo": str(hooks.path),
                "rev": rev,
                "hooks": [
                    {"id": name, "language": "system", "additional_dependencies": []}
                    for name in ids
                ],
            }
        ]
    }
    repo.commit({".pre-commit-config.yaml": json.dumps(config), "prompts/a.yaml": "prompt: x\n"})
    return repo


def run(repo: GitRepo, tmp_path: Path) -> tuple[int, str]:
    environment = {
        **os.environ,
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--color=never"],
        cwd=repo.path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_fine_commit_passes(hooked: GitRepo, tmp_path: Path) -> None:
    hooked.write("prompts/a.yaml", "prompt: z\n")
    hooked.write("unrelated.yaml", "prompt: [\n")
    hooked.git("add", ".")
    code, output = run(hooked, tmp_path)
    assert code == 0, output
    assert output.count("Passed") == 2


def test_problems_and_the_layout_stop_it(hooked: GitRepo, tmp_path: Path) -> None:
    including = "prompt: \"{% include 'tone' %}\"\n"
    hooked.commit({"prompts/b.yaml": including, "prompts/tone.yaml": "prompt: x\n"})
    hooked.write("prompts/a.yaml", "variables: {x: {}}\nprompt: 'y'\n")
    hooked.write("prompts/tone.yaml", "prompt: x\ndeleted: true\n")
    hooked.git("add", ".")
    code, output = run(hooked, tmp_path)
    assert code == 1
    assert "prompts/a.yaml:1:13: PS203" in output
    # What includes a staged file is looked at too.
    assert "prompts/b.yaml:1:9: PS302" in output
    assert "files were modified by this hook" in output
    assert (hooked.path / "prompts/a.yaml").read_text() == 'variables:\n  x: {}\nprompt: "y"\n'
    assert (hooked.path / "prompts/b.yaml").read_text() == including
