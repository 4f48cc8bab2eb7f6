"""The file of several projects, and the table of errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore import errors
from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.server.errors import error_of
from promptstore.server.settings import read_settings
from tests.test_errors import SAMPLES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "1:1: This needs `projects:`."),
        ("[]", "1:1: it must be a mapping of keys, not "),
        ("{}", "1:1: This needs `projects:`."),
        ("tokens: t\nprojects: []", "2:1: `projects` is empty"),
        ("projects: 1", "1:1: `projects` must be a list, not "),
        ("projects: [1]", "1:12: it must be a mapping of keys, not "),
        ("projects: [{id: 0}]", "1:13: the id of a project is a number from 1"),
        ("projects: [{id: '1'}]", "is a number from 1"),
        ("projects: [{id: true}]", "is a number from 1"),
        ("projects:\n- {}", "2:3: This needs `id:`."),
        ("projects: [{id: 1}]", "1:12: This needs `repository:`."),
        (
            "projects:\n- {id: 1, repository: .}\n- {id: 1, repository: .}",
            "3:4: two projects have the same id",
        ),
        (
            "projects: [{id: 1, repository: ., token: t}, {id: 2, repository: ., token: t}]",
            "have the same token",
        ),
        (
            "projects:\n  - id: 1\n    repository: .\n    brnch: x",
            "4:5: The key 'brnch' is not known; did you mean 'branch'?",
        ),
        ("project: 1", "1:1: The key 'project' is not known; did you mean 'projects'?"),
        ("projects: [{id: 1, repository: ., branch: 1}]", "1:35: `branch` must be a string"),
        ("projects: [{id: 1, repository: ''}]", "1:20: `repository` is empty"),
        ("projects: [{id: 1, repository: ., public_url: ftp://x}]", "is written like https://"),
        ("projects: [{id: 1, repository: ., public_url: 'https://x/y'}]", "is written like"),
        ("projects: [{id: 1, repository: ., public_url: 'https://x?y'}]", "is written like"),
        ("projects: [{id: 1, repository: ., public_url: 'https://u@x'}]", "is written like"),
        ("projects: [{id: 1, repository: ., public_url: 'https://['}]", "is written like"),
        ("projects: [{id: 1, repository: ., ai_consent: 7}]", "`ai_consent` must be true or false"),
        ("{projects: [{id: 1, repository: .}], tokens: 1}", "1:38: `tokens` must be a string"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text(text)
    with pytest.raises(InvalidArgumentError) as caught:
        read_settings(file)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{file}:")


def test_a_file_of_settings_that_is_no_yaml(tmp_path: Path) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text("projects:\n  - id: 1\n   repository: r\n")
    with pytest.raises(PromptFileError, match=r"projects.yaml:3:4: "):
        read_settings(file)


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


@pytest.mark.parametrize("error", [sample[0] for sample in SAMPLES], ids=lambda e: type(e).__name__)
def test_an_error_is_answered_without_a_path_of_the_machine(
    error: errors.PromptStoreError,
) -> None:
    refusal = error_of(error)
    assert 400 <= refusal.status_code < 600
    assert set(refusal.body) == {"type", "code", "detail", "attr"}
    if isinstance(error, errors.RepositoryError):
        assert refusal.status_code == 503
        assert error.path not in refusal.body["detail"]
