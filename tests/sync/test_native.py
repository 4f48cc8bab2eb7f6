"""Against a promptstore server nothing is left out: a prompt goes there as its file says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptstore.model.prompt import Prompt
from promptstore.posthog.client import PostHogClient
from promptstore.posthog.sync import RemotePrompts, SyncOptions, SyncRules
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import TokenFile
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import serving
from tests.sync.conftest import Pair
from tests.sync.project import FakeProject
from tests.writing.conftest import configure

TRIAGE = """\
description: Sort a ticket.
variables:
  product: {type: string, description: Its name}
  tier: {type: string, enum: [free, pro], default: free}
  history: {type: messages, default: []}
messages:
  - role: system
    content: |
      You help customers of {{ product }}.
      {% include "shared/tone" %}
      {% if tier == "pro" %}Offer a call.{% endif %}
  - insert: history
  - role: assistant
    content: null
    tool_calls:
      - {id: "1", type: function, function: {name: look, arguments: '{"at": 2.0}'}}
config: {model: gpt-x, temperature: 0.0}
tags: [support]
metadata: {owner: ada}
x-team: help
"""
FILES = {
    "prompts/shared/tone.yaml": "prompt: Be kind.\n",
    "prompts/support/triage.yaml": TRIAGE,
    "prompts/v1.2.yaml": "prompt: 'Hi {{ name }}'\nid: 497f6eca-6276-4993-bfeb-53cbbbba6f08\n",
    "prompts/a__b.yaml": "template: none\nprompt: '{{ raw }}'\n",
}


class Served(Pair):
    """A store and one that a promptstore server serves."""

    other: PromptStore
    client: PostHogClient

    def contents(self) -> list[dict[str, dict[str, Any]]]:
        """Return what both stores hold, by name."""
        return [
            {name: prompt.content for name, prompt in store.snapshot().items()}
            for store in (self.store, self.other)
        ]


@pytest.fixture
def pair(repo: GitRepo, make_repo: Callable[[str], GitRepo], tmp_path: Path) -> Iterator[Served]:
    served = configure(make_repo("served"))
    tokens = TokenFile(tmp_path / "tokens.json")
    with (
        serving({1: ProjectSettings(1, served.path, branch="main")}, tokens) as server,
        PostHogClient(server.url, server.key, 1, publishes_per_minute=0) as client,
    ):
        made = Served(
            repo,
            PromptStore.open(repo.path),
            FakeProject(),
            RemotePrompts(client),
            SyncRules(),
        )
        made.other, made.client = PromptStore.open(served.path), client
        yield made


@pytest.fixture
def synced(pair: Served) -> Served:
    pair.repo.commit(FILES)
    assert pair.run().is_clean
    return pair


def test_everything_goes_out_under_its_own_name(synced: Served) -> None:
    ours, theirs = synced.contents()
    assert ours == theirs
    assert set(theirs) == {"shared/tone", "support/triage", "v1.2", "a__b"}
    assert theirs["support/triage"]["metadata"] == {"owner": "ada"}
    values = {"product": "Acme", "tier": "pro"}
    rendered = [store.render("support/triage", values) for store in (synced.store, synced.other)]
    assert rendered[0].messages == rendered[1].messages
    assert synced.plan() == []
    assert synced.run().results == []


def test_a_change_of_what_posthog_cannot_hold_goes_both_ways(synced: Served) -> None:
    synced.repo.commit({"prompts/support/triage.yaml": TRIAGE.replace("[support]", "[sorted]")})
    assert synced.plan() == ["push update support/triage"]
    assert synced.run().is_clean
    assert synced.other.get("support/triage").tags == ("sorted",)
    prompt = synced.other.get("shared/tone")
    synced.other.save("shared/tone", Prompt(prompt=prompt.prompt, description="For all."))
    assert synced.plan() == ["pull update shared/tone"]
    assert synced.run().is_clean
    assert synced.store.get("shared/tone").description == "For all."
    ours, theirs = synced.contents()
    assert ours == theirs
    assert synced.plan() == []


def test_a_new_prompt_comes_in_as_its_file_says(synced: Served) -> None:
    made = Prompt(prompt="{% if x %}{{ x | upper }}{% endif %}", tags=["new"])
    synced.other.save("deep/er/logic", made)
    assert synced.plan() == ["pull create deep/er/logic"]
    assert synced.run().is_clean
    assert synced.store.get("deep/er/logic").content == made.content


def test_edits_of_different_fields_are_merged(synced: Served) -> None:
    synced.repo.commit({"prompts/support/triage.yaml": TRIAGE.replace("a ticket", "tickets")})
    prompt = synced.other.get("support/triage")
    synced.other.save("support/triage", replace(prompt, tags=("support", "more")))
    assert synced.plan() == ["conflict settle support/triage"]
    (result,) = synced.run().results
    assert result.note.startswith("merged")
    for store in (synced.store, synced.other):
        found = store.get("support/triage")
        assert (found.description, found.tags) == ("Sort tickets.", ("support", "more"))
    assert synced.plan() == []


def test_an_edit_of_one_field_on_both_sides_is_a_conflict(synced: Served) -> None:
    synced.repo.commit({"prompts/shared/tone.yaml": "prompt: Be brief.\n"})
    synced.other.save("shared/tone", "Be thorough.")
    assert synced.run().of("conflict")
    assert "Be thorough." in synced.compare().show("shared/tone")
    assert synced.run(prefer="remote").is_clean
    assert synced.store.get("shared/tone").prompt == "Be thorough."


def test_a_tombstone_goes_over_and_is_taken_off_again(synced: Served) -> None:
    synced.repo.commit({"prompts/a__b.yaml": "template: none\nprompt: x\ndeleted: true\n"})
    assert synced.run().is_clean
    assert "a__b" not in synced.other.snapshot()
    synced.repo.commit({"prompts/a__b.yaml": "template: none\nprompt: x\ntags: [back]\n"})
    assert synced.run().is_clean
    assert synced.other.get("a__b").tags == ("back",)
    assert synced.plan() == []


def test_an_id_of_the_other_side_is_no_difference(synced: Served) -> None:
    own = "11111111-1111-4111-8111-111111111111"
    synced.other.save("shared/tone", replace(synced.other.get("shared/tone"), id=own))
    assert synced.plan() == []
    synced.other.save("shared/tone", Prompt(prompt="Be warm.", id=own))
    assert synced.run().is_clean
    assert synced.store.get("shared/tone").id == own


def test_labels_go_over_by_what_the_files_say(synced: Served) -> None:
    synced.repo.commit({"prompts/shared/tone.yaml": "prompt: Be kind.\ntags: [x]\n"})
    assert synced.run().is_clean
    synced.store.set_label("shared/tone", "production", version=1)
    (result,) = synced.sync.bring_labels(SyncOptions())
    assert result.note == "version 1 on the remote"
    assert synced.other.get("shared/tone", label="production").tags == ()


def test_the_state_holds_the_whole_file(synced: Served) -> None:
    state = synced.repo.git("show", "refs/promptstore/remotes/posthog:prompts/support/triage.yaml")
    assert "description: Sort a ticket." in state
    assert "{% if tier" in state
