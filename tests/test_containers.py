"""The Dockerfiles of the guide, followed as far as this machine can: another user, no git program,
a file system that is read-only, no home."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from promptstore import PromptStore
from tests.docs.blocks import DOCS, TOP, named_block
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

PAGE = DOCS / "guides/docker.md"
OTHER_USER = 12345
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become another user",
)


def block(name: str) -> str:
    return named_block(PAGE, name).text


class Image:
    """What a Dockerfile makes, with folders of this machine as the file systems of its stages.

    Args:
        folder: An empty folder.
        context: The folder that is built.
    """

    def __init__(self, folder: Path, context: Path) -> None:
        self._folder = folder
        self._context = context
        self._stages: dict[str, Path] = {}
        self.environment: dict[str, str] = {}
        self.command: list[str] = []
        self.user = ""
        self.workdir = "/"

    @property
    def root(self) -> Path:
        return self._stages[max(self._stages)]

    def inside(self, path: str) -> Path:
        """The place on this machine of a path in the image."""
        return self.root / str(Path(self.workdir, path)).lstrip("/")

    def build(self, dockerfile: str) -> None:
        for line in dockerfile.splitlines():
            word, _, rest = line.partition(" ")
            if word:
                getattr(self, f"_{word.lower()}")(rest)

    def _from(self, rest: str) -> None:
        name = f"{len(self._stages)} {rest.partition(' AS ')[2]}"
        self._stages[name] = self._folder / f"stage{len(self._stages)}"
        self._stages[name].mkdir()
        self.workdir = "/"

    def _workdir(self, rest: str) -> None:
        self.workdir = rest
        self.inside(".").mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        *options, source, target = rest.split()
        origin = self._context / source
        if options:
            stage = options[0].removeprefix("--from=")
            (root,) = (path for name, path in self._stages.items() if name.endswith(f" {stage}"))
            origin = root / source.lstrip("/")
        if origin.is_dir():
            shutil.copytree(origin, self.inside(target), dirs_exist_ok=True, symlinks=True)
        else:
            shutil.copy(origin, self.inside(target))

    def _run(self, rest: str) -> None:
        command = [word.replace("/src/", f"{self.root}/src/") for word in shlex.split(rest)]
        if command[0] == "pip":  # the package is here already
            return
        command[0] = str(BIN / command[0])
        subprocess.run(command, cwd=self.inside("."), check=True, capture_output=True)

    def _env(self, rest: str) -> None:
        key, _, value = rest.partition("=")
        self.environment[key] = value

    def _user(self, rest: str) -> None:
        self.user = rest

    def _cmd(self, rest: str) -> None:
        self.command = [word.strip(' "') for word in rest.strip("[]").split(",")]

    def run(self, **volumes: Path) -> str:
        """Run the command as in a container: as its user, with nothing but the image and Python.

        There is no home, no git program on the path, and nothing can be written.

        Args:
            volumes: Folders of this machine by the name that they have at the top.
        """
        user, _, group = self.user.partition(":")
        assert self.command[0] == "python"
        places = {f"/{path.name}": path for path in self.root.iterdir()}
        places |= {f"/{name}": path for name, path in volumes.items()}
        script = ["mount -t tmpfs tmpfs /mnt"]
        for path in ("/usr", "/bin", "/lib", "/lib64", "/etc", "/proc", "/dev"):
            if Path(path).is_symlink():
                script.append(f"cp -P {path} /mnt{path}")
            elif Path(path).is_dir():
                script.append(f"mkdir /mnt{path} && mount --rbind {path} /mnt{path}")
        places |= {path: Path(path) for path in (str(TOP), sys.prefix, sys.base_prefix)}
        for inside, outside in places.items():
            script.append(f"mkdir -p /mnt{inside} && mount --bind {outside} /mnt{inside}")
            script.append(f"mount -o remount,bind,ro /mnt{inside}")
        script.append("mount -o remount,ro /mnt")
        variables = [f"{key}={value}" for key, value in self.environment.items()]
        command = [
            *("exec", "chroot", "/mnt", "/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}"),
            *("--clear-groups", "--no-new-privs", "/usr/bin/env", "-i", f"--chdir={self.workdir}"),
            *("PATH=/nowhere", *variables, sys.executable, "-B", *self.command[1:]),
        ]
        script.append(shlex.join(command))
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", "\n".join(script)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def may_mount() -> bool:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def context(repo: GitRepo) -> Path:
    """The repository that an image is built from."""
    if not may_mount():
        pytest.skip("this machine lets nobody mount anything")
    configure(repo)
    repo.commit({"prompts/greet.yaml": "prompt: Hi {{ name }}\n"})
    PromptStore.open(repo.path).set_label("greet", "production")
    repo.commit({"prompts/greet.yaml": "prompt: Hello {{ name }}\n"})
    return repo.path


LOOK = """
import os, sys, tempfile
assert os.getuid() == os.getgid() == 10001 and os.getgroups() == []
assert "HOME" not in os.environ
try:
    open("/app/x", "w")
except OSError:
    pass
else:
    sys.exit("this can be written")
try:
    tempfile.gettempdir()
except FileNotFoundError:
    pass
else:
    sys.exit("there is a folder for temporary files")
"""


def test_the_image_with_a_bundle(context: Path, tmp_path: Path) -> None:
    (context / "app.py").write_text(LOOK + block("app"))
    image = Image(tmp_path, context)
    image.build(block("bundle"))
    assert sorted(path.name for path in image.inside(".").iterdir()) == ["app.py", "prompts.bundle"]
    assert image.run() == "Hello Ada\nHi Ada\n"


def test_the_image_with_a_mounted_clone(context: Path, tmp_path: Path) -> None:
    app = block("app").replace('"prompts.bundle"', '"/prompts", branch="main"')
    (context / "app.py").write_text(LOOK + app)
    image = Image(tmp_path, context)
    image.build(block("clone"))
    clone = GitRepo(context).clone(tmp_path / "prompts")
    for path in [clone.path, *clone.path.rglob("*")]:
        os.chown(path, OTHER_USER, OTHER_USER, follow_symlinks=False)
    assert image.run(prompts=clone.path) == "Hello Ada\nHi Ada\n"
    # Without the trust it is refused, and the sentence says what to do.
    image.environment.clear()
    with pytest.raises(AssertionError, match="another user owns this repository"):
        image.run(prompts=clone.path)


def test_a_plain_folder(context: Path, tmp_path: Path) -> None:
    render = 'store = PromptStore.open(".")\nprint(store.render("greet", name="Ada").text)\n'
    app = f"{LOOK}from promptstore import PromptStore\n{render}print(store.get('greet').version)\n"
    (context / "app.py").write_text(app)
    image = Image(tmp_path, context)
    image.build(
        "FROM x\nWORKDIR /app\nCOPY app.py .\nCOPY prompts prompts\nUSER 10001:10001\n"
        'CMD ["python", "app.py"]\n'
    )
    assert image.run() == "Hello Ada\nNone\n"
