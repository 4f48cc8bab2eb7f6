"""The event of the guide events.md has the text that is shown below it."""

from __future__ import annotations

import json

import promptstore
from tests.docs.blocks import DOCS, named_block

PAGE = DOCS / "guides" / "events.md"


def test_the_event_has_the_text_that_is_shown() -> None:
    event = json.loads(named_block(PAGE, "event").text)
    shown = promptstore.text_repr(event, style="complete")
    assert shown.text + "\n" == named_block(PAGE, "text").text
