"""Whatever is given to a public method: an answer, or one of our errors in a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promptstore import Message, Prompt, PromptStore, Snapshot
from promptstore.errors import (
    InvalidArgumentError,
    LabelNotFoundError,
    PromptNotFoundError,
    PromptStoreError,
)
from tests.conftest import Fill
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

ODD: list[Any] = [
    None, True, 5, -1, 2.5, float("nan"), "", "x", "\0", "\ud800", b"x", b"\xff", [], ["x"], [1],
    [{}], {}, {"a": 1}, {1: 2}, {"a": "x"}, {"a": [1]}, {"a": object()}, (), {1}, object(), int,
    datetime(2020, 1, 1), print,
]  # fmt: skip
"""Values of every kind, most of them wrong for most arguments."""

MAKE_PROMPT: Any = Prompt
MAKE_MESSAGE: Any = Message
RIGHT: dict[str, Any] = {
    "name": "a", "label": "production", "one": "HEAD", "other": "HEAD", "edits": {}, "prompt": "Hi",
    "versions": {}, "names": [], "files": {}, "file": None, "info": None,
}  # fmt: skip
INTERNAL = {
    "overlaid", "parse", "prefetch", "not_found", "deleted", "load", "open", "get_raw",
    "keys", "values", "items",
}  # fmt: skip
"""What only other rooms call, and what Python makes of the rest."""


def commit_prompt(repo: GitRepo) -> None:
    configure(repo).commit({"prompts/a.yaml": "prompt: Hi {{ x }}\nconfig: {}\n"})


@pytest.fixture
def store(repo: GitRepo, fill: Fill) -> PromptStore:
    return PromptStore.open(fill(repo, commit_prompt).path)


def methods(cls: type) -> Iterator[tuple[str, str]]:
    """Every argument of every public method."""
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("_") and name not in INTERNAL:
            parameters = list(inspect.signature(method).parameters.values())[1:]
            for parameter in parameters:
                if parameter.kind is not parameter.VAR_KEYWORD:
                    yield name, parameter.name
            if any(parameter.name == "attribution" for parameter in parameters):
                yield from ((name, word) for word in ("message", "author", "trailers", "mesage"))


def call(method: Callable[..., Any], wrong: str, value: Any) -> Any:
    """Call a method with right arguments but for one."""
    given: dict[str, Any] = {}
    positional: list[Any] = []
    for parameter in inspect.signature(method).parameters.values():
        right = RIGHT.get(parameter.name)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value if parameter.name == wrong else right)
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            given[parameter.name] = right
    if wrong in inspect.signature(method).parameters:
        kind = inspect.signature(method).parameters[wrong].kind
        if kind is not inspect.Parameter.POSITIONAL_ONLY:
            given[wrong] = value
    else:
        given[wrong] = value
    return method(*positional, **given)


def outcome(action: Callable[..., object]) -> str:
    """Return what is said: of our errors the sentence; any other error is none of ours."""
    try:
        return f"given: {action()!r}"
    except PromptStoreError as error:
        return str(error)


@pytest.mark.parametrize(("method", "argument"), list(methods(PromptStore)))
def test_odd_arguments_of_a_store(store: PromptStore, method: str, argument: str) -> None:
    for value in ODD:
        assert outcome(lambda value=value: call(getattr(store, method), argument, value))


@pytest.mark.parametrize(("method", "argument"), list(methods(Snapshot)))
def test_odd_arguments_of_a_snapshot(store: PromptStore, method: str, argument: str) -> None:
    snapshot = store.snapshot()
    for value in ODD:
        assert outcome(lambda value=value: call(getattr(snapshot, method), argument, value))


@pytest.mark.parametrize("argument", inspect.signature(PromptStore.open).parameters)
def test_odd_arguments_of_open(store: PromptStore, argument: str) -> None:
    for value in ODD:
        given = {"path": store.path, argument: value}
        assert outcome(lambda given=given: PromptStore.open(**given))


@pytest.mark.parametrize("field", inspect.signature(Prompt).parameters)
def test_odd_fields_of_a_prompt(field: str) -> None:
    for value in ODD:
        given = {"prompt": "Hi {{ x }}", field: value}
        assert outcome(lambda given=given: Prompt(**given).digest)
        assert outcome(lambda given=given: Prompt(**given).render({"x": "y"}))


@pytest.mark.parametrize("field", inspect.signature(Message).parameters)
def test_odd_fields_of_a_message(field: str) -> None:
    for value in ODD:
        given: Any = {"role": "assistant", "content": "Hi", field: value}
        assert outcome(lambda given=given: Prompt(messages=[given]).render())
        assert outcome(lambda given=given: Message(**given))


def test_odd_values_of_a_render(store: PromptStore) -> None:
    for value in ODD:
        assert outcome(lambda value=value: store.get("a").render(value))
        assert outcome(lambda value=value: store.render("a", value))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda s: s.save("x", 5), r"an integer is no prompt; give a Prompt, a string"),
        (lambda s: s.save("x", None), "null is no prompt"),
        (lambda s: s.save("x", {"prompt": "x"}), "a mapping is no prompt"),
        (lambda s: s.save("x", [5]), r"`messages\[0\]` must be a mapping"),
        (lambda s: s.save("x", [{"role": "boss", "content": ""}]), "'boss'"),
        (lambda s: s.commit({"x": 5}), "is no prompt"),
        (lambda s: s.commit([]), "edits must be a mapping"),
        (lambda s: s.get("a", fallback=5), "is no prompt"),
        (lambda s: s.get("a", version="3"), "version must be a number, such as 3, not a string"),
        (lambda s: s.get("a", version=True), r"version must be .* not a boolean \(True\)"),
        (lambda s: s.get("a", label=3), "label must be a string"),
        (lambda s: s.get("a", rev=3), "rev must be a string that git resolves"),
        (lambda s: s.get("a", deleted="no"), "deleted must be True or False"),
        (lambda s: s.list(tag=["a"]), "tag must be a string, not a list"),
        (lambda s: s.names(None), "prefix must be a string, not null"),
        (lambda s: s.render("a", 5), "The values of a render are a dict"),
        (lambda s: s.render("a", {"x": 1}, x=1), "both have a value for 'x'"),
        (lambda s: s.get("a").render("x"), "The values of a render are a dict"),
        (lambda s: s.save("a", "Hi", mesage="x"), "mesage is not known; did you mean message"),
        (lambda s: s.get("a", at=datetime(2020, 1, 1)), "give a label, or give the time as rev"),
        (lambda s: s.get("a", label="b", at=datetime(2020, 1, 1)), "has no time zone"),
        (lambda s: s.get("a", label="b", at="yesterday"), "at must be a datetime, not a string"),
        (lambda s: MAKE_PROMPT(messages="Hi"), "`messages` must be a list, not a string"),
        (lambda s: MAKE_PROMPT(prompt=5), "`prompt` must be a string, not an integer"),
        (lambda s: MAKE_PROMPT(promt="x"), "The key 'promt' is not known; did you mean 'prompt'"),
        (lambda s: MAKE_MESSAGE("user", "x", nmae="y"), "'nmae' is not known; did you mean 'name'"),
    ],
)
def test_what_is_wrong_is_said(
    store: PromptStore, wrong: Callable[[Any], Any], sentence: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=sentence):
        wrong(store)


def test_an_answer_is_none_to_a_wrong_question(store: PromptStore) -> None:
    """What was answered before is not checked again; True is 1 and False 0 to Python."""
    get: Any = store.get
    for right in ({"version": 1}, {"deleted": True}, {"deleted": False}, {}, {"label": None}):
        assert get("a", **right) == get("a", **right)
    for wrong in ({"version": True}, {"version": 1.0}, {"deleted": 1}, {"deleted": 0}):
        with pytest.raises(InvalidArgumentError, match="must be"):
            get("a", **wrong)
    with pytest.raises(InvalidArgumentError, match="version and rev exclude each other"):
        get("a", version=1, rev="HEAD")
    with pytest.raises(InvalidArgumentError, match="label must be a string"):
        get("a", label=["production"])
    with pytest.raises(InvalidArgumentError, match="is no prompt"):
        get("a", fallback=5)


def test_what_stands_for_a_prompt(store: PromptStore) -> None:
    messages: list[Any] = [{"role": "user", "content": "Hi {{ name }}"}]
    store.save("text", "Hello {{ name }}")
    store.save("chat", messages)
    store.save("same", Prompt(messages=messages))
    assert store.render("text", name="Ada").text == "Hello Ada"
    assert store.render("text", {"name": "Ada"}).text == "Hello Ada"
    assert store.get("text").render({"name": "Ada"}) == store.get("text").render(name="Ada")
    assert store.snapshot().render("text", name="Ada").text == "Hello Ada"
    rendered = [{"role": "user", "content": "Hi Ada"}]
    assert store.render("chat", {}, name="Ada").messages == rendered
    assert store.get("chat").content == store.get("same").content
    made = store.commit({"one": "Hi", "two": messages})
    assert [prompt.is_chat for prompt in made.values()] == [False, True]
    assert store.draft({"three": "Hi"}).read("three").prompt == "Hi"


@pytest.mark.parametrize(
    "fallback", ["Hi {{ x }}", [{"role": "user", "content": "Hi {{ x }}"}], Prompt(prompt="Hi")]
)
def test_what_stands_for_a_fallback(store: PromptStore, fallback: Any) -> None:
    assert store.get("nope", fallback=fallback).is_fallback
    assert store.render("nope", x="you", fallback=fallback).messages[0]["role"] == "user"
    assert not store.get("a", fallback=fallback).is_fallback


def test_a_variable_may_be_called_like_an_argument(store: PromptStore) -> None:
    store.save("b", "{{ name }} {{ label }} {{ variables }}")
    values = {"name": "n", "label": "l", "variables": "v"}
    assert store.render("b", values).text == "n l v"
    assert store.render("b", {"label": "l"}, name="n", variables="v").text == "n l v"
    assert store.get("b").render(**values).text == "n l v"


def labels(repo: GitRepo, version: int, commit: str) -> datetime:
    """Set the label by git itself, which has a clock of its own, and tell when."""
    line = f"a: {{version: {version}, commit: {commit}}}\n".encode()
    blob = repo.git("hash-object", "-w", "--stdin", stdin=line)
    tree = repo.git("mktree", stdin=f"100644 blob {blob}\tproduction.yaml\n".encode())
    before = repo.git("for-each-ref", "--format=%(objectname)", "refs/heads/promptstore/labels")
    parent = ["-p", before] if before else []
    made = repo.git("commit-tree", "-m", "Move", *parent, tree)
    repo.git("update-ref", "refs/heads/promptstore/labels", made)
    return datetime.fromtimestamp(int(repo.git("log", "-1", "--format=%ct", made)), UTC)


def test_what_a_label_pointed_at_then(store: PromptStore, repo: GitRepo) -> None:
    texts = ("two", "three")
    commits = [repo.head(), *(repo.commit({"prompts/a.yaml": f"prompt: {x}\n"}) for x in texts)]
    first, second, third = (labels(repo, n, commits[n - 1]) for n in (2, 3, 1))
    moment = timedelta(seconds=1)
    assert store.get("a", label="production").version == 1
    for time, version in [
        (first, 2), (second - moment, 2), (second, 3), (third - moment, 3), (third + moment, 1),
    ]:  # fmt: skip
        found = store.get("a", label="production", at=time)
        assert (found.version, found.label) == (version, "production")
        values = {"x": "y"} if version == 1 else {}
        assert store.render("a", values, label="production", at=time).version == version
        assert store.snapshot(label="production", at=time)["a"] == found
        assert store.list(label="production", at=time) == [found]
    for ask in (store.get, lambda name, **given: store.snapshot(**given)[name]):
        with pytest.raises(LabelNotFoundError):
            ask("a", label="production", at=first - moment)
    with pytest.raises(PromptNotFoundError):
        store.snapshot(label="production", at=first)["b"]
