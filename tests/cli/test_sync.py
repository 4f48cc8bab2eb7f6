"""``promptstore sync`` as its users meet it, against a server that listens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from promptstore.cli.app import app
from promptstore.errors import InvalidArgumentError, MassDeletionError, RemoteKeyError
from tests.cli.test_process import run_on_terminal
from tests.gitrepo import GitRepo
from tests.sync.conftest import file
from tests.sync.listening import KEY, Listening, listening
from tests.sync.project import FakeProject
from tests.writing.conftest import configure

Run = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[Listening]:
    with listening(FakeProject()) as found:
        yield found


@pytest.fixture
def clone(repo: GitRepo, server: Listening) -> GitRepo:
    """A clone with the prompts `mine` and `support/triage`, and one remote in its configuration."""
    configure(repo)
    settings = f'[remotes.posthog]\nhost = "{server.url}"\nproject = 1\npublishes_per_minute = 0\n'
    repo.commit({
        ".promptstore.toml": settings,
        "prompts/mine.yaml": file("Mine"),
        "prompts/support/triage.yaml": file("Sort {{ticket}}"),
    })  # fmt: skip
    return repo


@pytest.fixture
def run(clone: GitRepo, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", KEY)
    monkeypatch.setenv("PROMPTSTORE_ALLOWED_HOSTS", "127.0.0.1")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(clone.path), "sync", *arguments])

    return run


def lines(result: Result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines()]


def test_a_first_push_and_a_normal_day(run: Run, clone: GitRepo, server: Listening) -> None:
    planned = run("plan")
    assert lines(planned) == [
        ["→ remote", "create", "mine", "new in git"],
        ["→ remote", "create", "support/triage", "new in git"],
    ]
    assert planned.exit_code == 0
    pushed = run("push")
    assert lines(pushed) == [
        ["done", "mine", "version 1 on the remote"],
        ["done", "support/triage", "version 1 on the remote"],
    ]
    assert "posthog: 2 done" in pushed.stderr
    assert server.project.texts()["support__triage"] == "Sort {{ticket}}"
    server.project.edit("mine", "Theirs")
    assert "1 to pull" in run("status").stdout
    assert run("pull").exit_code == 0
    assert "Theirs" in clone.git("show", "HEAD:prompts/mine.yaml")
    assert run("status").stdout == "posthog: in step\n"
    assert {key for _, _, key in server.requests} == {f"Bearer {KEY}"}


def test_a_dry_run_writes_nothing_and_shows_what_it_would_do(
    run: Run, clone: GitRepo, server: Listening
) -> None:
    run("push", "--only", "mine")
    server.project.edit("theirs", "Theirs")
    server.project.edit("mine", "Edited there")
    before = clone.git("for-each-ref")
    assert lines(run("push", "--dry-run")) == [
        ["→ remote", "create", "support/triage", "new in git"]
    ]
    assert lines(run("pull", "--dry-run")) == [
        ["← remote", "update", "mine", "changed on the remote"],
        ["← remote", "create", "theirs", "new on the remote"],
    ]
    clone.commit({"prompts/mine.yaml": file("Ours")})
    conflict = run("push", "--dry-run", "--json")
    assert conflict.exit_code == 1
    assert [step["direction"] for step in json.loads(conflict.stdout)["steps"]] == [
        "conflict",
        "push",
    ]
    assert server.project.writes == []
    assert clone.git("for-each-ref", "refs/promptstore") in before


def test_what_waits_for_a_word_is_told(run: Run, clone: GitRepo, server: Listening) -> None:
    run("push")
    clone.commit({"prompts/mine.yaml": None})
    (row,) = lines(run("plan"))
    assert row[3] == "deleted in git without a tombstone, so only with --allow-delete"
    assert lines(run("push"))[0][0] == "held"


def test_a_conflict_fails_and_shows_both_sides(run: Run, clone: GitRepo, server: Listening) -> None:
    run("push")
    clone.commit({"prompts/mine.yaml": file("Ours")})
    server.project.edit("mine", "Theirs")
    for command in ("status", "plan", "push", "pull"):
        assert run(command).exit_code == 1
    shown = run("plan").stdout
    assert "mine: changed on both sides" in shown
    assert "-Ours\n+Theirs" in shown
    assert run("pull", "--prefer", "local").exit_code == 0
    assert run("push").exit_code == 0
    assert server.project.texts()["mine"] == "Ours"


def test_a_branch_for_a_pull_request(run: Run, clone: GitRepo, server: Listening) -> None:
    run("push")
    clone.commit({"prompts/mine.yaml": file("Ours")})
    server.project.edit("mine", "Theirs")
    result = run("pull", "--branch", "from-posthog")
    assert result.exit_code == 1
    assert "the remote's side is on the branch from-posthog" in result.stdout
    assert "Theirs" in clone.git("show", "from-posthog:prompts/mine.yaml")


def test_json_for_programs(run: Run, server: Listening) -> None:
    planned = json.loads(run("plan", "--json").stdout)
    assert planned["requests"] == 1
    assert planned["steps"][0] == {
        "name": "mine",
        "direction": "push",
        "verb": "create",
        "reason": "new in git",
        "merges": False,
    }
    pushed = json.loads(run("push", "--json", "--only", "mine").stdout)
    assert [(step["name"], step["outcome"]) for step in pushed["steps"]] == [("mine", "done")]
    assert list(server.project.texts()) == ["mine"]


def test_what_is_left_out_is_told(run: Run, clone: GitRepo) -> None:
    clone.commit({"prompts/logic.yaml": "prompt: '{% if x %}y{% endif %}'\n"})
    result = run("push")
    assert result.exit_code == 0
    assert "left out: logic: the template has logic" in result.stderr
    assert "logic" in run("push", "--as-source").stdout


def test_a_remote_without_configs_is_told_and_loses_none(
    run: Run, clone: GitRepo, server: Listening
) -> None:
    server.project.dialect = "legacy"
    clone.commit({"prompts/mine.yaml": file("Mine", config={"model": "gpt-x"})})
    told = "posthog has no place for configs; these stay in git: mine\n"
    pushed = run("push", "--labels")
    assert told in pushed.stderr
    assert "posthog has no labels\n" in pushed.stderr
    assert told in run("status").stderr
    assert json.loads(run("plan", "--json").stdout)["configs_kept"] == ["mine"]
    server.project.edit("mine", "Theirs")
    assert run("pull").exit_code == 0
    kept = json.loads(clone.git("show", "HEAD:prompts/mine.yaml"))
    assert (kept["prompt"], kept["config"]) == ("Theirs", {"model": "gpt-x"})


def test_many_deletions_need_a_yes(run: Run, clone: GitRepo, server: Listening) -> None:
    run("push")
    clone.commit({"prompts/mine.yaml": file("Mine", deleted=True)})
    refused = run("push")
    assert isinstance(refused.exception, MassDeletionError)
    assert "mine" in server.project.texts()
    assert run("push", "--yes").exit_code == 0
    assert "mine" not in server.project.texts()


def test_labels_come_over_on_request(run: Run, clone: GitRepo, server: Listening) -> None:
    from promptstore.store.store import PromptStore

    store = PromptStore.open(clone.path)
    run("push")
    store.set_label("mine", "production", version=1)
    clone.commit({"prompts/mine.yaml": file("Mine 2")})
    assert lines(run("push", "--labels")) == [
        ["done", "mine", "version 2 on the remote"],
        ["done", "production of mine", "version 1 on the remote"],
    ]
    assert server.project.labels == {("mine", "production"): 1}
    server.project.label("mine", "production", 2)
    server.project.label("support__triage", "staging", 1)
    assert lines(run("pull", "--labels")) == [
        ["done", "production of mine", "version 2 in git"],
        ["done", "staging of support/triage", "version 1 in git"],
    ]
    assert store.get("mine", label="production").prompt == "Mine 2"
    store.remove_label("mine", "production")
    server.project.label("support__triage", "production", 1)
    store.set_label("support/triage", "production", version=1)
    assert json.loads(run("push", "--labels", "--json").stdout)["labels"] == [
        {
            "name": "production of mine",
            "direction": "push",
            "verb": "archive",
            "reason": "deleted in git",
            "outcome": "done",
            "note": "taken off on the remote",
        }
    ]
    assert run("pull", "--labels").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "--remote", "nope"], "there is no remote 'nope'; there are: posthog"),
        (["push", "--prefer", "remote"], "sync pull --prefer remote"),
        (["pull", "--prefer", "ours"], "local or remote, not 'ours'"),
        (["pull", "--prefer", "local", "--branch", "x"], "exclude each other"),
    ],
)
def test_a_wrong_call_says_what_is_right(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, InvalidArgumentError)
    assert message in str(result.exception)


def test_the_key_comes_from_the_environment_only(
    run: Run, clone: GitRepo, server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTHOG_PERSONAL_API_KEY")
    assert "set the environment variable POSTHOG_PERSONAL_API_KEY" in str(run("plan").exception)
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", "phx_wrong")
    server.faults = {1: "401"}
    refused = run("plan")
    assert isinstance(refused.exception, RemoteKeyError)
    assert "phx_wrong" not in str(refused.exception)


@pytest.mark.parametrize(
    ("typed", "code", "left"),
    [(b"n\n", 1, True), (b"perhaps\n", 1, True), (b"\x04", 1, True), (b"y\n", 0, False)],
)
def test_on_a_terminal_many_deletions_are_asked_about(
    run: Run, clone: GitRepo, server: Listening, typed: bytes, code: int, left: bool
) -> None:
    names = [f"p{number:02}" for number in range(12)]
    clone.commit({f"prompts/{name}.yaml": file("x") for name in names})
    run("push")
    clone.commit({f"prompts/{name}.yaml": file("x", deleted=True) for name in names})
    done = run_on_terminal(clone.path, "sync", "push", prompt=b"[y/N]", typed=typed)
    assert done[0] == code
    assert b"12 of 14 prompts would be deleted (p00, p01" in done[1]
    assert ("p00" in server.project.texts()) == left


def test_on_a_terminal_a_bar_shows_how_far_it_is(run: Run, clone: GitRepo) -> None:
    clone.commit({f"prompts/p{number:02}.yaml": file("x") for number in range(12)})
    code, shown = run_on_terminal(clone.path, "sync", "push")
    assert code == 0
    assert b"Syncing" in shown
    assert b"posthog: 14 done" in shown


class TestWhereTheKeyGoes:
    """A pull request may edit the configuration, and somebody looks at it with ``sync plan``."""

    def attack(self, clone: GitRepo, **values: str) -> None:
        lines = [f'{key} = "{value}"' for key, value in values.items()]
        clone.commit({".promptstore.toml": "\n".join(["[remotes.posthog]", *lines, ""])})

    @pytest.mark.parametrize(
        "host",
        [
            "https://evil.example",
            "https://us.posthog.com.evil.example",
            "https://evilposthog.com",
            "https://evil.example#.posthog.com",
            "https://evil.example\\\\.posthog.com",
            "https://us.posthog.com@evil.example",
            "http://us.posthog.com",
            "http://127.0.0.2",
        ],
    )
    def test_a_pull_request_sends_it_nowhere(
        self, run: Run, clone: GitRepo, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        monkeypatch.setattr("socket.getaddrinfo", _refuse_network)
        self.attack(clone, host=host)
        assert isinstance(run("plan").exception, InvalidArgumentError)

    @pytest.mark.parametrize("variable", ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HOME"])
    def test_a_pull_request_sends_no_other_secret(
        self, run: Run, clone: GitRepo, server: Listening, variable: str
    ) -> None:
        self.attack(clone, host=server.url, key_env=variable)
        assert "`key_env` names a variable POSTHOG_… or PROMPTSTORE_…" in str(run("plan").exception)
        assert server.requests == []

    def test_the_user_allows_a_host(
        self, run: Run, clone: GitRepo, server: Listening, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PROMPTSTORE_ALLOWED_HOSTS")
        refused = str(run("plan").exception)
        hint = "git config --global --add promptstore.allowedHost 127.0.0.1"
        assert f"If you trust that host: `{hint}`" in refused
        assert server.requests == []
        clone.git("config", *hint.split()[3:])
        assert run("plan").exit_code == 0


def _refuse_network(*_arguments: object, **_named: object) -> None:
    pytest.fail("the network was asked")
