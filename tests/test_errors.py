from __future__ import annotations

import copy
import inspect
import pickle
import shlex
from pathlib import Path

import pytest

from promptstore import errors
from promptstore.errors import (
    BundleError,
    ConflictError,
    EventError,
    ExportRefusedError,
    FetchError,
    ForgeError,
    HistoryUnavailableError,
    ImportRefusedError,
    IncludeError,
    InvalidArgumentError,
    InvalidNameError,
    LabelNotFoundError,
    LimitError,
    LogFormatError,
    LogsTooLargeError,
    LogStoreBusyError,
    LogStoreError,
    MassDeletionError,
    MissingExtraError,
    ModelError,
    NotInBundleError,
    Problem,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    PromptStoreError,
    ProviderError,
    ReadOnlyError,
    RemoteAnswerError,
    RemoteConflictError,
    RemoteKeyError,
    RemoteNotFoundError,
    RemotePermissionError,
    RemoteRejectedError,
    RemoteServerError,
    RemoteThrottledError,
    RemoteUnreachableError,
    RenderError,
    RepositoryError,
    RepositoryLockedError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    SyncRefusedError,
    TemplateSyntaxError,
    UnsupportedRepositoryError,
    VariableError,
    VersionNotFoundError,
    install_command,
)

SAMPLES = [
    (InvalidNameError(name="a b", reason="it holds ' '"), ValueError, "'a b' is not a prompt name"),
    (InvalidArgumentError(message="give one of them"), ValueError, "give one of them"),
    (
        PromptNotFoundError(name="suport", place="main (3f2a91c)", near=["support"]),
        KeyError,
        "There is no prompt 'suport' in main (3f2a91c). Did you mean 'support'?",
    ),
    (
        PromptDeletedError(name="a", place="main", reason="Too old.", replaced_by="b"),
        KeyError,
        "The prompt 'a' was deleted: Too old. Use 'b' instead.",
    ),
    (
        VersionNotFoundError(name="a", version=9, latest=3),
        LookupError,
        "'a' has no version 9: its versions are 1 to 3.",
    ),
    (
        VersionNotFoundError(name="a", version=3, latest=3, removed=True),
        LookupError,
        "Version 3 of 'a' removed the file",
    ),
    (RevisionNotFoundError(rev="nope"), LookupError, "The rev 'nope' names no commit"),
    (
        LabelNotFoundError(label="prod", name="a", near=["production"]),
        LookupError,
        "The label 'prod' does not point 'a' anywhere. There are: production. "
        "`promptstore label list` lists them.",
    ),
    (LabelNotFoundError(label="prod"), LookupError, "There is no label 'prod'."),
    (HistoryUnavailableError(reason="the clone is shallow."), LookupError, "cannot be counted"),
    (
        PromptFileError(
            path="prompts/a.yaml",
            problems=[Problem(9, 1, "PS107", "later"), Problem(2, 5, "PS103", "sooner")],
        ),
        ValueError,
        "prompts/a.yaml:2:5: PS103 sooner\nprompts/a.yaml:9:1: PS107 later",
    ),
    (
        TemplateSyntaxError(message="no end of the loop.", line=3, template="a"),
        ValueError,
        "a: line 3 of the template: no end of the loop.",
    ),
    (
        IncludeError(target="b", chain=["a"], reason="there is no such prompt", code="PS301"),
        ValueError,
        "Cannot include 'b': there is no such prompt (a → b, line 1).",
    ),
    (
        VariableError(
            name="a",
            missing=["x"],
            unknown={"tickt": ["ticket"]},
            invalid={"n": "is a string, but must be an integer"},
        ),
        ValueError,
        "The values for 'a' do not fit: 'x' is missing; 'tickt' is not a variable of it "
        "(did you mean 'ticket'?); 'n' is a string, but must be an integer.",
    ),
    (RenderError(message="division by zero", line=2, template="a"), ValueError, "a: line 2"),
    (LimitError(message="more than max_output characters"), ValueError, "max_output"),
    (
        EventError(reason="it is null, not an object", index=2),
        ValueError,
        "Item 2 of the list is not an event: it is null, not an object.",
    ),
    (RepositoryError(path="/x", reason="git says: no."), OSError, "/x: git says: no."),
    (RepositoryNotFoundError(path="/x", reason="nothing here."), OSError, "nothing here"),
    (
        ConflictError(names=["b", "a"], reason="somebody else changed this meanwhile."),
        RuntimeError,
        "'a', 'b': somebody else changed this meanwhile.",
    ),
    (
        RepositoryLockedError(path="/x/index.lock", reason="another process holds it."),
        TimeoutError,
        "/x/index.lock: another process holds it.",
    ),
    (
        FetchError(path="https://x", reason="no route to host."),
        ConnectionError,
        "https://x: no route to host.",
    ),
    (
        NotInBundleError(path="x.bundle", what="version 1 of 'a'", advice="Build it anew."),
        LookupError,
        "The bundle x.bundle does not hold version 1 of 'a'. Build it anew.",
    ),
    (BundleError(path="x.bundle", reason="it is cut off."), ValueError, "x.bundle: it is cut off."),
    (ReadOnlyError(path="/x", reason="HEAD is detached."), OSError, "/x: HEAD is detached."),
    (UnsupportedRepositoryError(path="/x", reason="reftable."), OSError, "reftable"),
    (
        ForgeError(forge="GitHub", address="https://api.github.com", reason="answered 403: no"),
        OSError,
        "GitHub at https://api.github.com answered 403: no. Look at the address",
    ),
    (LogStoreError(place="/logs", reason="it is gone"), OSError, "/logs: it is gone."),
    (LogStoreBusyError(place="/logs", reason="Wait."), LogStoreError, "/logs: Wait."),
    (LogFormatError(reason="it is no JSON"), ValueError, "it is no JSON."),
    (LogsTooLargeError(reason="it is large"), LogFormatError, "it is large."),
    (
        ModelError(model="m at http://127.0.0.1/v1", reason="refused to answer"),
        OSError,
        "The model m at http://127.0.0.1/v1 refused to answer.",
    ),
    (
        RemoteUnreachableError(request="GET /x", detail="refused", may_have_written=True),
        ConnectionError,
        "GET /x: refused. Check the host and the network",
    ),
    (
        RemoteAnswerError(request="GET /x", status=200, detail="this is a web page"),
        ValueError,
        "GET /x answered 200: this is a web page. Check that the host",
    ),
    (
        RemoteRejectedError(
            request="POST /x", status=400, detail="Too long.", code="max_length", attr="name"
        ),
        ValueError,
        "POST /x answered 400: name: Too long.",
    ),
    (
        RemoteKeyError(request="GET /x", status=401, detail="Invalid key."),
        PermissionError,
        "Invalid key. Give a personal API key",
    ),
    (
        RemotePermissionError(request="GET /x", status=403, detail="No scope."),
        PermissionError,
        "llm_prompt:read",
    ),
    (RemoteNotFoundError(request="GET /x", status=404, detail=""), LookupError, "no reason"),
    (
        RemoteConflictError(request="PATCH /x", status=409, detail="Moved.", current_version=4),
        OSError,
        "PATCH /x answered 409: Moved. Look at both sides",
    ),
    (
        RemoteThrottledError(request="GET /x", status=429, detail="Slow down.", retry_after=3.0),
        OSError,
        "GET /x answered 429: Slow down. Wait",
    ),
    (RemoteServerError(request="GET /x", status=503, detail="Busy."), OSError, "503: Busy."),
    (
        SyncRefusedError(name="a", reason="it holds logic."),
        ValueError,
        "'a' cannot be synced: it holds logic.",
    ),
    (
        MassDeletionError(remote="posthog", names=["d", "c", "b", "a"], total=5),
        RuntimeError,
        "4 of 5 prompts would be deleted (a, b, c, …). Look with "
        "`promptstore sync plan --remote posthog`; if that is right, say --yes (confirmed=True).",
    ),
    (
        ImportRefusedError(reason="not YAML", source="a.prompt"),
        ValueError,
        "a.prompt: not YAML. Nothing of it was imported; bring it over by hand.",
    ),
    (
        ProviderError(provider="Gemini's API", path="config.user", reason="has no `user`"),
        ValueError,
        "config.user: Gemini's API has no `user`.",
    ),
    (
        ExportRefusedError(name="greet", format="github", reason="it has logic"),
        ValueError,
        "'greet' cannot be exported to github: it has logic. "
        "Export it to another format, or change the prompt.",
    ),
    (
        MissingExtraError(extra="cli", purpose="The command line"),
        ImportError,
        "The command line needs more: pip install ",
    ),
]
IDS = [type(error).__name__ for error, _, _ in SAMPLES]


@pytest.mark.parametrize(("error", "builtin", "sentence"), SAMPLES, ids=IDS)
def test_an_error_says_what_is_wrong(
    error: PromptStoreError, builtin: type[Exception], sentence: str
) -> None:
    assert sentence in str(error)
    assert isinstance(error, builtin)
    assert isinstance(error, PromptStoreError)


@pytest.mark.parametrize(("error", "builtin", "sentence"), SAMPLES, ids=IDS)
def test_an_error_pickles_with_its_facts(
    error: PromptStoreError, builtin: type[Exception], sentence: str
) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)


def test_a_broken_file_is_never_a_missing_key() -> None:
    assert not issubclass(PromptFileError, LookupError)


def test_every_error_has_a_sample_here() -> None:
    abstract = {
        PromptStoreError,
        errors.NotFoundError,
        errors.RemoteError,
        errors.TemplateError,
    }
    classes = {
        item
        for _, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, PromptStoreError)
    }
    assert {type(error) for error, _, _ in SAMPLES} == classes - abstract


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        ({}, "pip install 'git-promptstore[cli]'"),
        (
            {"url": "file:///src/my%20tools", "dir_info": {"editable": True}},
            "pip install --editable '/src/my tools[cli]'",
        ),
        ({"url": "file:///src/tools", "dir_info": {}}, "pip install '/src/tools[cli]'"),
        (
            {
                "url": "https://git.example.com/tools.git",
                "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": "4" * 40},
            },
            "pip install 'git-promptstore[cli] @ git+https://git.example.com/tools.git@"
            + "4" * 40
            + "'",
        ),
        (
            {"url": "https://example.com/git_promptstore-0.1-py3-none-any.whl", "archive_info": {}},
            "pip install 'git-promptstore[cli] @ "
            "https://example.com/git_promptstore-0.1-py3-none-any.whl'",
        ),
    ],
    ids=["an index", "an editable checkout", "a checkout", "a git repository", "a wheel"],
)
def test_the_command_for_an_extra_installs_from_where_the_package_came(
    origin: dict[str, object], command: str
) -> None:
    assert install_command("cli", origin) == command


def test_the_command_for_an_extra_works_for_this_very_installation() -> None:
    *_, requirement = shlex.split(install_command("cli"))
    folder = requirement.removesuffix("[cli]")
    assert (Path(folder) / "pyproject.toml").is_file() or folder.startswith("git-promptstore")
