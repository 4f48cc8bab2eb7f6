"""The file of several projects, and the table of errors."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from promptstore import errors
from promptstore.errors import InvalidArgumentError
from promptstore.server.problems import VERDICTS, refusal_for
from promptstore.server.settings import read_settings
from promptstore.server.spelling import spell, unspell
from tests.test_errors import SAMPLES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "it must be a mapping"),
        ("{}", "`projects` must be a list"),
        ("projects: []", "`projects` must be a list"),
        ("projects: [1]", "a project: it must be a mapping"),
        ("projects: [{id: 0}]", "is a number from 1"),
        ("projects: [{id: '1'}]", "is a number from 1"),
        ("projects: [{id: true}]", "is a number from 1"),
        ("projects: [{id: 1}]", "project 1 needs a `repository`"),
        ("projects: [{id: 1, repository: .}, {id: 1, repository: .}]", "have the same id"),
        (
            "projects: [{id: 1, repository: ., token: t}, {id: 2, repository: ., token: t}]",
            "have the same token",
        ),
        ("projects: [{id: 1, repository: ., brnch: x}]", "unknown key 'brnch'"),
        ("projects: [{id: 1, repository: ., branch: 1}]", "`branch` of project 1 is a text"),
        ("projects: [{id: 1, repository: ., public_url: ftp://x}]", "is written like https://"),
        ("projects: [{id: 1, repository: ., public_url: 'https://x/y'}]", "is written like"),
        ("{projects: [{id: 1, repository: .}], tokens: 1}", "`tokens` must be the path"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text(text)
    with pytest.raises(InvalidArgumentError) as caught:
        read_settings(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_paths_are_told_from_where_the_file_lies(tmp_path: Path) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text("projects: [{id: 7, repository: ../prompts}]\ntokens: keys/t.json\n")
    settings = read_settings(file)
    (project,) = settings.projects
    assert (project.id, project.repository) == (7, tmp_path / "../prompts")
    assert (project.root, project.branch, project.public_token) == (
        "prompts",
        None,
        "phc_project_7",
    )
    assert settings.tokens == tmp_path / "keys/t.json"


def test_every_error_of_the_library_has_its_status() -> None:
    classes = {
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.PromptStoreError)
    }
    # The server asks no forge and no remote.
    elsewhere = (
        errors.ForgeError,
        errors.RemoteError,
        errors.SyncRefusedError,
        errors.MassDeletionError,
    )
    assert VERDICTS.keys() == {value for value in classes if not issubclass(value, elsewhere)}


@pytest.mark.parametrize("error", [sample[0] for sample in SAMPLES], ids=lambda e: type(e).__name__)
def test_an_error_is_answered_without_a_path_of_the_machine(
    error: errors.PromptStoreError,
) -> None:
    refusal = refusal_for(error)
    assert 400 <= refusal.status < 600
    assert set(refusal.body) == {"type", "code", "detail", "attr"}
    if isinstance(error, errors.RepositoryError):
        assert refusal.status == 503
        assert error.path not in refusal.body["detail"]


@pytest.mark.parametrize("name", ["a", "a_b", "a-b", "a/b", "a.b", "a_/_b.c", "_", "a_d/b_u"])
def test_a_spelling_leads_back(name: str) -> None:
    assert unspell(spell(name)) == name


@pytest.mark.parametrize("text", ["-", "-a", "-a_", "-a_x", "-a-b", "-a_d_", "-_", "--", "-a/b"])
def test_what_is_no_spelling_stays_what_it_is(text: str) -> None:
    assert unspell(text) == text
