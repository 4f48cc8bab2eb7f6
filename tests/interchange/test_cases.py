"""Sources of other tools come in as the file beside them says, or stay out for its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.interchange.imported import Imported, Refused
from promptstore.interchange.recognition import read_path
from promptstore.model.prompt import texts
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps

CASES = Path(__file__).parent.parent / "data" / "import"
EXPECTED = sorted(CASES.rglob("*.expected.yaml"))
REFUSED = sorted(CASES.rglob("*.refused.txt"))

BETTER = {
    # A loop that only passes messages on is an insert.
    "semantic-kernel/message-loop.yaml": (),
    # A reference is an include; what it is pinned to is told.
    "langfuse/reference.json": (
        "the reference to the label production of shared is to its text in the same commit here",
    ),
}
"""What comes in although a first converter gave up, with what is lost."""


def name_of(path: Path) -> str:
    return path.relative_to(CASES).as_posix()


@pytest.mark.parametrize("path", EXPECTED, ids=name_of)
def test_it_comes_in_as_expected(path: Path) -> None:
    [found] = read_path(path.with_name(path.name.removesuffix(".expected.yaml")))
    assert isinstance(found, Imported), found
    expected = loads(path.read_bytes())
    assert found.prompt.content == expected.content
    assert loads(dumps(found.prompt)) == found.prompt
    assert found.is_translated


@pytest.mark.parametrize("path", REFUSED, ids=name_of)
def test_it_stays_out_or_is_kept_as_source(path: Path) -> None:
    source = path.with_name(path.name.removesuffix(".refused.txt"))
    reason = path.read_text().strip()
    [found] = read_path(source)
    if name_of(source) in BETTER:
        assert isinstance(found, Imported)
        assert found.losses == BETTER[name_of(source)]
        return
    if isinstance(found, Refused):
        assert found.reason == reason
        return
    assert found.losses == (f"NOT TRANSLATED, kept as source with `template: none`: {reason}",)
    [(_, text)] = texts(found.prompt)
    assert found.prompt.template == "none"
    assert text.splitlines()[0] in source.read_text()
