"""The configuration of remotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.errors import InvalidArgumentError
from promptstore.posthog.sync.settings import choose_remote, load_remotes

FULL = """\
[tool.promptstore.remotes.posthog]
host = "https://us.posthog.com"
project = 12345
key_env = "POSTHOG_OTHER_KEY"
only = ["support/*"]
as_source = true
publishes_per_minute = 10
timeout = 5
names = {"support/old" = "legacy"}
"""


def test_everything_that_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(FULL)
    remotes = load_remotes(tmp_path)
    found = choose_remote(remotes, None)
    assert (found.name, found.host, found.project) == ("posthog", "https://us.posthog.com", "12345")
    assert (found.key_env, found.publishes_per_minute, found.timeout) == (
        "POSTHOG_OTHER_KEY",
        10,
        5.0,
    )
    assert found.rules.names == {"support/old": "legacy"}
    assert (found.rules.only, found.rules.as_source) == (("support/*",), True)


def test_a_file_of_its_own_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(FULL)
    (tmp_path / ".promptstore.toml").write_text('[remotes.own]\nhost = "http://localhost:8000"\n')
    remotes = load_remotes(tmp_path)
    assert set(remotes) == {"posthog", "own"}
    assert choose_remote(remotes, "own").project == "@current"
    assert choose_remote(remotes, "own").publishes_per_minute is None
    with pytest.raises(InvalidArgumentError, match="name one remote by --remote: own, posthog"):
        choose_remote(remotes, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no remote is set up"),
        ("[remotes.a]\n", "This needs `host:`."),
        ("[remotes.a]\nhost = 1\n", "`host` must be a string, not "),
        ('[remotes.a]\nhost = "x"\nkey = "phx_1"\n', "environment variable"),
        ('[remotes.a]\nhost = "x"\nprojekt = 1\n', "did you mean 'project'?"),
        (
            '[remotes.a]\nhost = "x"\ntimeout = true\n',
            "`timeout` must be a",
        ),
        ('[remotes.a]\nhost = "x"\nonly = [1]\n', "`only[0]` must be a string, not "),
        (
            '[remotes.a]\nhost = "x"\nkey_env = "AWS_SECRET_ACCESS_KEY"\n',
            "POSTHOG_… or PROMPTSTORE_…",
        ),
        ('[remotes.a]\nhost = "x"\nseparator = "-"\n', "The key 'separator' is not known"),
        ("[remotes]\na = 1\n", "it must be a mapping of keys, not "),
        ("remotes = 1\n", "'remotes' must be a table"),
        ("[remotes.a\n", ".promptstore.toml is no TOML: "),
        (
            "[check]\nignor = ['PS5']\n",
            ".promptstore.toml: the file has no key 'check'; only [remotes.NAME] stands here, and "
            "the rest in [tool.promptstore] of pyproject.toml",
        ),
        ("ignore = ['PS5']\n", ".promptstore.toml: the file has no key 'ignore'; only [remotes"),
        ("[remots.a]\n", "the file has no key 'remots'; did you mean 'remotes'?"),
        (
            '[remotes.a]\nhots = "x"\n',
            ".promptstore.toml: the remote 'a': The key 'hots' is not known; did you mean 'host'?",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / ".promptstore.toml").write_text(text)
    with pytest.raises(InvalidArgumentError) as caught:
        choose_remote(load_remotes(tmp_path), None)
    assert message in str(caught.value)
    assert "phx_1" not in str(caught.value)


def test_what_is_not_known_in_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(FULL.replace("remotes", "remots"))
    with pytest.raises(
        InvalidArgumentError,
        match=r"pyproject\.toml: \[tool.promptstore\] has no key 'remots'; did you mean 'remotes'",
    ):
        load_remotes(tmp_path)


def test_one_name_in_both_files(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(FULL)
    (tmp_path / ".promptstore.toml").write_text('[remotes.posthog]\nhost = "x"\n')
    with pytest.raises(InvalidArgumentError, match="keep one of them"):
        load_remotes(tmp_path)
