"""What each vendor is sent for each case, as a person has read it, and as its own SDK checks it.

A new file in ``cases`` is a new case; it needs a golden file for each vendor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptstore import Prompt
from promptstore.errors import ProviderError
from promptstore.model.rendering import RenderedPrompt
from tests.providers.vendors import CHECKS, as_json

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.json"))


def rendered(messages: list[dict[str, Any]], config: dict[str, Any]) -> RenderedPrompt:
    """Render messages that are given as a history, as they are."""
    prompt = Prompt(messages=[{"insert": "history"}], config=config)
    return prompt.render(history=messages)


def arguments_for(
    vendor: str, messages: list[dict[str, Any]], config: dict[str, Any]
) -> tuple[dict[str, Any], ProviderError | None]:
    """Return the arguments for a vendor, and the error if it refuses."""
    try:
        return getattr(rendered(messages, config), vendor)(), None
    except ProviderError as error:
        return {}, error


def read(folder: str, name: str) -> Any:
    return json.loads((HERE / folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vendor", CHECKS)
@pytest.mark.parametrize("name", CASES)
def test_the_arguments_for_a_vendor(name: str, vendor: str) -> None:
    case, expected = read("cases", name), read("golden", f"{name}.{vendor}")
    arguments, error = arguments_for(vendor, case["messages"], case["config"])
    if error is not None:
        assert {"path": error.path, "refused": str(error)} == expected
    else:
        assert as_json(arguments) == expected
        CHECKS[vendor](arguments)


def test_every_golden_file_belongs_to_a_case() -> None:
    golden = {path.stem for path in (HERE / "golden").glob("*.json")}
    assert golden == {f"{name}.{vendor}" for name in CASES for vendor in CHECKS}
