"""The requests and answers of the API: what is taken, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from promptstore.posthog import models, queries, requests
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.queries import ListQuery, ReadQuery, ResolveQuery
from promptstore.posthog.requests import CreateRequest, PublishRequest, UpdateRequest

MODELS = [
    value
    for module in (models, queries, requests)
    for value in vars(module).values()
    if isinstance(value, type)
    and issubclass(value, BaseModel)
    and value.model_config.get("json_schema_extra")
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_example_is_one(model: type[BaseModel]) -> None:
    (example,) = model.model_json_schema()["examples"]
    read = model.model_validate(example)
    assert read.model_dump(mode="json", exclude_unset=True, by_alias=True) == example


@pytest.mark.parametrize(
    ("model", "latest", "labels"),
    [
        (models.PromptById, None, {}),
        (models.PublicPrompt, 2, {}),
        (models.FullPrompt, 2, {"production": 2}),
        (models.PromptRow, 2, {"production": 2}),
        (models.NativePrompt, 2, {"production": 2}),
    ],
)
def test_a_client_reads_the_prompt_of_every_answer(
    model: type[BaseModel], latest: int | None, labels: dict[str, int]
) -> None:
    row = RemotePrompt.model_validate(model.model_json_schema()["examples"][0])
    assert (row.name, row.version, row.latest_version, row.labels) == (
        "summarise",
        2,
        latest,
        labels,
    )
    assert row.created_by
    assert row.created_by.name == "Ada Example"


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        {},
        {"id": "x", "name": "a", "version": "1"},
        {"id": "x", "name": "a", "version": True},
        {"id": "x", "name": 1, "version": 1},
        {"id": "x", "name": "a", "version": 1, "created_at": "yesterday"},
        {"id": "x", "name": "a", "version": 1, "labels": ["l"], "all_labels": [{"name": "l"}]},
        {"id": "x", "name": "a", "version": 1, "all_labels": [1]},
    ],
)
def test_what_is_no_prompt_is_refused(row: Any) -> None:
    with pytest.raises(ValidationError):
        RemotePrompt.model_validate(row)


FULL = {"name": "a", "prompt": "x"}
PUBLISH = {"base_version": 1, "prompt": "x"}


@pytest.mark.parametrize(
    ("model", "value", "code", "place"),
    [
        (CreateRequest, {"prompt": "x"}, "missing", ("name",)),
        (CreateRequest, FULL | {"name": " "}, "blank", ("name",)),
        (CreateRequest, FULL | {"name": True}, "invalid_input", ("name",)),
        (CreateRequest, FULL | {"name": "a/b"}, "invalid_name", ("name",)),
        (CreateRequest, FULL | {"name": "NEW"}, "reserved_name", ("name",)),
        (CreateRequest, FULL | {"name": "n" * 256}, "max_length", ("name",)),
        (CreateRequest, FULL | {"name": "a\0"}, "null_characters_not_allowed", ("name",)),
        (CreateRequest, FULL | {"prompt": None}, "null", ("prompt",)),
        (CreateRequest, FULL | {"prompt": ["\0"]}, "null_characters_not_allowed", ("prompt",)),
        (CreateRequest, FULL | {"prompt": "x" * 999_999}, "max_size", ("prompt",)),
        (CreateRequest, FULL | {"prompt": float("inf")}, "invalid_input", ("prompt",)),
        (CreateRequest, FULL | {"config": 1}, "invalid_config", ("config",)),
        (CreateRequest, FULL | {"deleted": "maybe"}, "invalid_input", ("deleted",)),
        (PublishRequest, {"prompt": "x"}, "missing", ("base_version",)),
        (PublishRequest, PUBLISH | {"base_version": True}, "invalid_input", ("base_version",)),
        (PublishRequest, PUBLISH | {"base_version": 0}, "greater_than_equal", ("base_version",)),
        (PublishRequest, {"base_version": 1}, "invalid_input", ()),
        (PublishRequest, PUBLISH | {"edits": [{"old": "a", "new": "b"}]}, "invalid_input", ()),
        (PublishRequest, {"base_version": 1, "edits": []}, "invalid_input", ("edits",)),
        (ReadQuery, {"label": "Latest"}, "reserved_label_name", ("label",)),
        (ReadQuery, {"label": "12"}, "invalid_label_name", ("label",)),
        (ReadQuery, {"content": "FULL"}, "literal_error", ("content",)),
        (ListQuery, {"order_by": "prompt"}, "invalid_choice", ("order_by",)),
        (ResolveQuery, {"limit": "101"}, "less_than_equal", ("limit",)),
        (ResolveQuery, {"version_id": "x"}, "invalid_input", ("version_id",)),
        (ResolveQuery, {"offset": "1", "before_version": "1"}, "invalid_input", ()),
    ],
)
def test_what_is_refused(
    model: type[BaseModel], value: Any, code: str, place: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    found = caught.value.errors()[0]
    assert (found["type"], found["loc"]) == (code, place)


def test_what_is_taken_for_something_else() -> None:
    made = CreateRequest.model_validate(
        {"name": 7, "prompt": 0, "config": None, "deleted": "yes", "version_description": " "}
    )
    assert (made.name, made.prompt, made.config, made.deleted) == ("7", 0, {}, True)
    assert made.version_description == ""
    assert PublishRequest.model_validate({"base_version": "2.0", "prompt": "x"}).base_version == 2
    assert UpdateRequest.model_validate({}).model_fields_set == set()
    assert ReadQuery.model_validate({"version": "", "label": " "}).version is None
    listed = ListQuery.model_validate({"limit": "x", "offset": "-1", "order_by": ""})
    assert (listed.limit, listed.offset, listed.order_by) == (100, 0, "-created_at")
    upper = "497F6ECA62764993BFEB53CBBBBA6F08"
    read = ResolveQuery.model_validate({"version_id": upper})
    assert read.version_id == "497f6eca-6276-4993-bfeb-53cbbbba6f08"
