"""Laws of the tools that hold for every prompt."""

from __future__ import annotations

import jsonschema
from hypothesis import given, settings

from promptstore.compare.merge import Sides, merge_files
from promptstore.model.fileschema import file_schema
from promptstore.model.prompt import Prompt
from promptstore.promptfile.formatter import format_file
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from promptstore.review.impact import judge
from tests.promptfile.strategies import prompts

FEW = settings(max_examples=settings().max_examples // 2)
"""For laws that cost much: half of the examples."""

MERGES = settings(max_examples=settings().max_examples // 4)
"""For merges, each of which starts git several times."""

VALIDATOR = jsonschema.Draft202012Validator(file_schema())


@FEW
@given(prompts())
def test_every_prompt_is_valid_by_the_schema(prompt: Prompt) -> None:
    VALIDATOR.validate(prompt.content)


@FEW
@given(prompts())
def test_what_is_written_is_in_canonical_form(prompt: Prompt) -> None:
    data = dumps(prompt).encode()
    assert format_file(data) == data


@FEW
@given(prompts())
def test_a_comment_changes_nothing_in_the_rest(prompt: Prompt) -> None:
    data = dumps(prompt).encode()
    assert format_file(b"# why\n" + data) == b"# why\n" + data


@MERGES
@given(prompts(), prompts())
def test_an_edit_of_one_side_is_taken(base: Prompt, edited: Prompt) -> None:
    old, new = dumps(base).encode(), dumps(edited).encode()
    ours = merge_files(Sides(old, new, old), "a.yaml")
    theirs = merge_files(Sides(old, old, new), "a.yaml")
    assert ours == (new, True)
    assert theirs.is_clean
    assert loads(theirs.data) == edited


@MERGES
@given(prompts(), prompts(), prompts())
def test_a_clean_merge_is_a_prompt_and_says_the_same_both_ways(
    base: Prompt, one: Prompt, other: Prompt
) -> None:
    old, left, right = (dumps(prompt).encode() for prompt in (base, one, other))
    merged = merge_files(Sides(old, left, right), "a.yaml")
    twin = merge_files(Sides(old, right, left), "a.yaml")
    assert merged.is_clean == twin.is_clean
    if merged.is_clean:
        assert loads(merged.data).content.keys() == loads(twin.data).content.keys()


@FEW
@given(prompts(), prompts())
def test_every_change_has_one_impact_with_a_reason(before: Prompt, after: Prompt) -> None:
    judgement = judge(before, after)
    assert judgement.reasons
    assert all(judgement.reasons)
    if before.content == after.content:
        assert judgement.impact == "compatible"
