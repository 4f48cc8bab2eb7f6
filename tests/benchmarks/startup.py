"""Whole processes: importing, the command line, the first prompt."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from promptstore import PromptStore
from tests.benchmarks import rivals
from tests.benchmarks.harness import OURS, Goal, Report
from tests.benchmarks.places import Places
from tests.benchmarks.repos import prompt_name

NAME = prompt_name(42)
IMPORTS = {
    "posthog": "posthog.ai.prompts",
    "dotpromptz": "dotpromptz.dotprompt",
}
_SCRIPT = """\
#!{python}
import sys
from promptstore.__main__ import main
if __name__ == '__main__':
    sys.argv[0] = sys.argv[0].removesuffix('.exe')
    sys.exit(main())
"""
"""What pip 26 makes of the entry point."""

_FLOOR = "import pygit2 and pydantic, and read one blob"
_READ = """\
import pydantic, pygit2
found = pygit2.Repository({path!r})
found[found.head.peel(pygit2.Tree)["prompts/{name}.yaml"].id].data
"""
_VALIDATING_FLOOR = "the same, and validate by one model of pydantic"
_VALIDATE = """\
class Prompt(pydantic.BaseModel):
    prompt: str
Prompt.model_validate({{"prompt": "Hi"}})
"""


def run(report: Report, places: Places) -> None:
    """Measure processes from start to end."""
    bare = _python("pass")
    rounds = 3 if report.quick else 9
    report.compare(
        "import promptstore",
        {OURS: _python("import promptstore"), "bare Python": bare},
        goals=[Goal("bare Python", 2.0)],
        rounds=rounds,
    )
    found = [name for name in rivals.NAMES if find_spec(name) is not None]
    imports = {name: _python(f"import {IMPORTS.get(name, name)}") for name in found}
    command = str(Path(sys.executable).parent / "promptstore")
    scripts = {
        _kind_of(command): command,
        "script as pip 26 writes it": str(_script_of_pip_26(places.folder)),
    }
    for kind, script in scripts.items():
        report.compare(
            f"promptstore --version, {kind}",
            {OURS: _process([script, "--version"]), "bare Python": bare},
            rounds=rounds,
        )
    path = str(places.small)
    PromptStore.open(path).list()
    report.compare(
        "promptstore show NAME, warm repository",
        {
            OURS: _process([command, "show", NAME], path),
            "python -c 'import pygit2'": _python("import pygit2"),
        },
        rounds=rounds,
    )
    path = str(places.large)
    PromptStore.open(path).list()
    report.compare(
        f"first get in a new process, index warm, {places.large_shape.prompts:,} prompts",
        {
            OURS: _python(
                f"import promptstore; promptstore.PromptStore.open({path!r}).get({NAME!r})"
            ),
            _FLOOR: _python(_READ.format(path=path, name=NAME)),
            _VALIDATING_FLOOR: _python((_READ + _VALIDATE).format(path=path, name=NAME)),
            **{f"import {name}": work for name, work in imports.items()},
        },
        goals=[
            Goal(_FLOOR, 1.5),
            Goal(_VALIDATING_FLOOR, 1.25),
            *(Goal(f"import {name}", 1.0) for name in imports),
        ],
        rounds=rounds,
    )


def _kind_of(script: str) -> str:
    # Before 25.2 pip wrote scripts that load what takes longer than all of ours.
    loads_re = "import re\n" in Path(script).read_text(encoding="utf-8")
    return "script of this installation" + (", which loads re" if loads_re else "")


def _script_of_pip_26(folder: Path) -> Path:
    script = folder / "promptstore-by-pip-26"
    script.write_text(_SCRIPT.format(python=sys.executable), encoding="utf-8")
    script.chmod(0o755)
    return script


def _python(code: str) -> Callable[[], object]:
    return _process([sys.executable, "-c", code])


def _process(command: Sequence[str], folder: str | None = None) -> Callable[[], object]:
    # As installed: modules keep their bytecode, whatever is usual where this runs.
    kept = {k: value for k, value in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def work() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=kept)

    return work
