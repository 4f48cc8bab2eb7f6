"""Mistakes that are named as what they are, with a hint that works."""

from __future__ import annotations

import pytest

from promptstore.errors import Problem, PromptFileError
from promptstore.promptfile.reader import loads


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(PromptFileError) as caught:
        loads(text)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            "a: 1\n<<<<<<< HEAD\nprompt: x\n=======\nprompt: y\n>>>>>>> b\n", 2, id="keys"
        ),
        pytest.param(
            "prompt: |\n  x\n<<<<<<< HEAD\n  y\n=======\n  z\n>>>>>>> b\n", 3, id="in a text"
        ),
        pytest.param(
            "prompt: |\r\n  x\r\n<<<<<<<<< ours\r\n  y\r\n=========\r\n>>>>>>>>> b\r\n",
            3,
            id="longer markers and line ends of windows",
        ),
    ],
)
def test_conflict_markers_of_git(text: str, line: int) -> None:
    (problem,) = problems_of(text)
    assert (problem.line, problem.column, problem.code) == (line, 1, "PS102")
    assert problem.message.startswith("A conflict that git could not merge begins here (<<<<<<<")


def test_a_text_that_only_shows_conflict_markers_is_fine() -> None:
    text = "prompt: |\n  <<<<<<< HEAD\n  =======\n  >>>>>>> b\n"
    assert loads(text).prompt == "<<<<<<< HEAD\n=======\n>>>>>>> b\n"


@pytest.mark.parametrize(
    ("text", "place", "fixed"),
    [
        ("prompt: {{ name }}\n", (1, 9), 'prompt: "{{ name }}"\n'),
        ("prompt: {{ a }} and {{ b }}\n", (1, 9), 'prompt: "{{ a }} and {{ b }}"\n'),
        ("prompt: {% if x %}y{% endif %}\n", (1, 9), 'prompt: "{% if x %}y{% endif %}"\n'),
        (
            "messages:\n  - role: user\n    content: {{ name }}\n",
            (3, 14),
            'messages:\n  - role: user\n    content: "{{ name }}"\n',
        ),
        ('prompt: {{ "a" }} x\n', (1, 9), "prompt: '{{ \"a\" }} x'\n"),
        ('prompt: {{ "it\'s" }} x\n', (1, 9), "prompt: '{{ \"it''s\" }} x'\n"),
        ("prompt: {{ t.split('\\n') }} x\n", (1, 9), "prompt: '{{ t.split(''\\n'') }} x'\n"),
        ("prompt: {{ a }} x  # why\n", (1, 9), 'prompt: "{{ a }} x"  # why\n'),
    ],
)
def test_a_template_without_quotes(text: str, place: tuple[int, int], fixed: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.line, problem.column) == place
    hint, _, why = problem.message.removeprefix("Write ").partition(": a string")
    assert why.endswith("needs quotes.")
    assert hint in fixed
    loads(fixed)


def test_other_problems_beside_it_stay() -> None:
    codes = [(found.line, found.code) for found in problems_of("promt: x\nprompt: {{ name }}\n")]
    assert codes == [(1, "PS107"), (2, "PS109")]


def test_a_role_as_a_key_of_a_message_is_no_near_match() -> None:
    (problem,) = problems_of("messages:\n  - user: hello\n")
    assert problem.message.startswith("The key 'user' is not known; the keys are role, content, ")
