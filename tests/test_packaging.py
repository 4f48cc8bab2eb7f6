"""The built wheel, installed alone and used far from the source folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.gitrepo import GitRepo

TOP = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=TOP, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "promptstore/py.typed" in names
    assert "promptstore/server/prompts/logs/explain.yaml" in names
    web = [name for name in names if name.startswith("promptstore/server/web/")]
    assert "promptstore/server/web/templates/base.html" in web
    kept = {path.name for path in (TOP / "promptstore/server/web/static").iterdir()}
    assert {name.rpartition("/")[2] for name in web if "/static/" in name} == kept
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "promptstore",
        "git_promptstore",
    }
    metadata = next(name for name in names if name.endswith("/METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "Name: git-promptstore" in text
    assert "Requires-Python: >=3.11" in text


def test_the_wheel_works_without_the_source_folder(
    wheel: Path, repo: GitRepo, tmp_path: Path
) -> None:
    repo.commit({"prompts/greet.yaml": "prompt: '{% if name %}Hi {{ name }}{% endif %}'\n"})
    target = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(target)
    program = (
        "import promptstore, sys\n"
        "print(promptstore.__file__)\n"
        "store = promptstore.PromptStore.open(sys.argv[1])\n"
        "print(store.render('greet', {'name': 'Ada'}).text)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(repo.path)],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert (done.stderr, done.stdout) == ("", f"{target}/promptstore/__init__.py\nHi Ada\n")
    command = [sys.executable, "-m", "promptstore", "-C", str(repo.path), "check"]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
