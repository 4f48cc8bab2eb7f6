"""Exports: what is written, what is told, and the law that an import of it means the same."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstore.errors import ExportRefusedError, InvalidArgumentError
from promptstore.interchange.exporting import BRANCH, EXPORT_FORMATS, export_from, export_prompt
from promptstore.interchange.imported import Imported
from promptstore.interchange.importing import plan_import, write_import
from promptstore.interchange.recognition import read_bytes, read_path
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.cli.test_commands import fails_with, out
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

CASES = Path(__file__).parent.parent / "data" / "import"
SOURCES = [
    path.with_name(path.name.removesuffix(".expected.yaml"))
    for path in sorted(CASES.rglob("*.expected.yaml"))
]
BOM = b"\xef\xbb\xbf"
FORM_OF = {"ghmodels": "github", "dotprompt": "dotprompt", "prompty": "prompty",
           "markdown": "markdown", "promptfoo": "promptfoo"}  # fmt: skip


def read(path: str, data: bytes, form: str) -> Prompt:
    [found] = read_bytes(path, data, form)
    assert isinstance(found, Imported), found
    return found.prompt


@pytest.mark.parametrize(
    "source",
    [path for path in SOURCES if path.relative_to(CASES).parts[0] in FORM_OF],
    ids=lambda path: path.relative_to(CASES).as_posix(),
)
def test_an_import_exported_and_imported_again_is_the_same(source: Path) -> None:
    form = FORM_OF[source.relative_to(CASES).parts[0]]
    [first] = read_path(source)
    assert isinstance(first, Imported)
    exported = export_prompt(first.prompt, form)
    again = read(exported.path, exported.text.encode(), form)
    assert _plain(again) == _plain(first.prompt)
    # What is written once is written the same again.
    assert export_prompt(again, form).text == exported.text


def _plain(prompt: Prompt) -> dict[str, Any]:
    """What a prompt says, without spaces within `{{ }}` and the name that a file has to have."""
    text = json.dumps(prompt.content).replace("{{ ", "{{").replace(" }}", "}}")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("source", [CASES / "markdown/braces/system.md"])
def test_markdown_has_the_same_bytes(source: Path) -> None:
    [found] = read_path(source)
    assert isinstance(found, Imported)
    exported = export_prompt(found.prompt, "markdown")
    assert exported.data == source.read_bytes()
    assert exported.losses == ()


LANGFUSE = b'{"name": "ask", "version": 4,\n "type": "text", "prompt": "Hi", "labels": []}'
OTHERS = {
    "ask.json": ("langfuse", LANGFUSE),
    "bom.prompt": ("dotprompt", b"\xef\xbb\xbf---\r\nmodel: m\r\n---\r\nHi {{x}}\r\n"),
    "wide.prompt.yml": ("github", "messages: [{role: user, content: hé}]".encode("utf-16")),
    "note.md": ("markdown", b"---\ntags:   [a]\n---\nHello"),
}


class TestSameBytes:
    """A prompt that still says what its file said is exported as that file."""

    @pytest.mark.parametrize(
        "source",
        [path for path in SOURCES if path.relative_to(CASES).parts[0] in FORM_OF],
        ids=lambda path: path.relative_to(CASES).as_posix(),
    )
    def test_of_every_case(self, run: Run, source: Path) -> None:
        form = FORM_OF[source.relative_to(CASES).parts[0]]
        [row] = json.loads(out(run("import", "--json", str(source))))
        result = run("export", row["name"], "--to", form)
        assert (result.stdout_bytes, result.stderr) == (source.read_bytes(), "")

    @pytest.mark.parametrize("file", OTHERS)
    def test_of_other_formats_and_encodings(self, run: Run, sources: Path, file: str) -> None:
        form, data = OTHERS[file]
        (sources / file).write_bytes(data)
        [row] = json.loads(out(run("import", "--json", str(sources / file))))
        assert run("export", row["name"], "--to", form).stdout_bytes == data

    LINES = st.lists(st.sampled_from(["", "# why", "   "]), max_size=2)

    @settings(max_examples=25)
    @given(st.tuples(*[LINES] * 4), st.sampled_from(["\n", "\r\n"]), st.sampled_from([b"", BOM]))
    def test_whatever_the_layout(
        self, between: tuple[list[str], ...], end: str, mark: bytes
    ) -> None:
        lines = ["description:  'd'", "model: m", "messages: [{role: user, content: 'hi'}]", ""]
        text = end.join(line for more, one in zip(between, lines, strict=True)
                        for line in (*more, one))  # fmt: skip
        data = mark + text.encode()
        [found] = read_bytes("p.prompt.yml", data, "github")
        assert isinstance(found, Imported)
        with tempfile.TemporaryDirectory() as folder:
            store = PromptStore.open(configure(GitRepo.init(Path(folder) / "repo")).path)
            write_import(store, plan_import(store, [found]), source="github")
            assert export_from(store, store.get("p"), "github").data == data

    def test_until_the_prompt_or_a_label_of_it_changes(
        self, run: Run, store: PromptStore, sources: Path
    ) -> None:
        file = sources / "ask.json"
        file.write_bytes(LANGFUSE)
        assert run("import", str(file)).exit_code == 0
        store.set_label("ask", "production")
        labelled = json.loads(out(run("export", "ask", "--to", "langfuse")))
        assert labelled["labels"] == ["production"]
        store.save("ask", "Hello")
        changed = json.loads(out(run("export", "ask", "--to", "langfuse")))
        assert changed["prompt"] == "Hello"
        old = run("export", "ask@1", "--to", "langfuse").stdout_bytes
        assert json.loads(old)["labels"] == ["production"]

    def test_under_another_name_where_the_name_is_no_part_of_it(
        self, run: Run, store: PromptStore
    ) -> None:
        source = CASES / "ghmodels/variables-list.prompt.yml"
        assert run("import", str(source)).exit_code == 0
        store.rename("variables-list", "other")
        assert run("export", "other", "--to", "github").stdout_bytes == source.read_bytes()

    def test_the_branch_is_written_once_and_only_for_what_needs_it(
        self, run: Run, repo: GitRepo
    ) -> None:
        assert run("import", str(CASES / "ghmodels/plain.prompt.yml")).exit_code == 0
        assert BRANCH not in repo.git("for-each-ref")
        assert run("import", str(CASES / "ghmodels")).exit_code == 0
        before = repo.git("for-each-ref")
        assert repo.git("rev-list", "--count", BRANCH) == "1"
        assert run("import", str(CASES / "ghmodels")).exit_code == 0
        assert repo.git("for-each-ref") == before
        assert repo.git("status", "--porcelain") == ""


TEXT = st.text(st.sampled_from("ab {}%#$\\\n\"':-é"), min_size=1, max_size=30)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]),
                           "content": TEXT}), min_size=1, max_size=3,
)  # fmt: skip


@given(MESSAGES, st.sampled_from(["none", "simple"]), st.sampled_from(EXPORT_FORMATS))
def test_any_chat_means_the_same_after_export_and_import(
    messages: list[dict[str, str]], kind: str, form: str
) -> None:
    messages = [{**messages[0], "content": f"{messages[0]['content']} {{{{name}}}}"}, *messages[1:]]
    names = ["name"] if kind == "simple" else []
    variables: dict[str, Any] | None = {"name": {}} if names else None
    prompt = Prompt(template=kind, messages=messages, variables=variables)  # type: ignore[arg-type]
    try:
        exported = export_prompt(prompt, form)
    except ExportRefusedError:
        return
    told = " ".join(exported.losses)
    if "is a variable there" in told or "space around a text" in told or form == "markdown":
        return
    again = read(exported.path, exported.text.encode(), form)
    values = dict.fromkeys(names, "V")
    before = [(m["role"], m["content"]) for m in prompt.render(values).messages]
    after = [(m["role"], m["content"]) for m in again.render(values).messages]
    blank = form == "dotprompt"
    assert after == [(r, c) for r, c in before if not blank or c.strip()]


LOGIC = "{% if tier == 'x' %}\nA\n{% endif %}\n{{ q|upper }}\n"


class TestWhatCannotBeSaid:
    @pytest.mark.parametrize("form", ["github", "langfuse", "dotprompt"])
    def test_logic_is_refused(self, form: str) -> None:
        prompt = Prompt(messages=[{"role": "user", "content": LOGIC}], name="p")
        with pytest.raises(ExportRefusedError, match=f"'p' cannot be exported to {form}"):
            export_prompt(prompt, form)

    def test_logic_goes_to_prompty_and_promptfoo_and_renders_the_same(self) -> None:
        prompt = Prompt(messages=[{"role": "user", "content": LOGIC + "end"}], name="p")
        values = {"tier": "x", "q": "q"}
        for form in ("prompty", "promptfoo"):
            exported = export_prompt(prompt, form)
            again = read(exported.path, exported.text.encode(), form)
            assert again.render(values).messages == prompt.render(values).messages

    def test_an_include_is_put_in_place(self, store: PromptStore) -> None:
        store.save("tone", "Be {{ tone }}.")
        store.save("p", [{"role": "system", "content": '{% include "tone" %} Now.'}])
        for form in ("github", "langfuse", "prompty"):
            assert "Be {{tone}}. Now." in export_prompt(store.get("p"), form).text

    def test_losses_are_told(self) -> None:
        prompt = Prompt(
            prompt="Hi", template="none", tags=("a",), config={"top": 1}, metadata={"x": 1},
            extensions={"x-other": 1},
        )  # fmt: skip
        assert export_prompt(prompt, "github").losses == (
            "tags has no place and is left out",
            "x-other has no place and is left out",
            "config.top has no place and is left out",
            "a text prompt becomes the message of a user",
        )

    def test_an_insert_is_refused_by_github(self) -> None:
        prompt = Prompt(messages=[{"insert": "history"}])
        with pytest.raises(ExportRefusedError, match="no place for the list of messages 'history'"):
            export_prompt(prompt, "github")

    def test_a_line_that_would_be_a_role_is_refused_by_prompty(self) -> None:
        prompt = Prompt(template="none", messages=[{"role": "user", "content": "a\nsystem:\nb"}])
        with pytest.raises(ExportRefusedError, match="read as a role"):
            export_prompt(prompt, "prompty")

    def test_metadata_that_looks_like_inputs_of_prompty(self) -> None:
        prompt = Prompt(
            prompt="{{ x }}", variables={"x": {"type": "string"}}, metadata={"inputs": {"x": "y"}}
        )
        assert "name: x\n    kind: string\n" in export_prompt(prompt, "prompty").text

    def test_a_format_that_is_none(self) -> None:
        with pytest.raises(InvalidArgumentError, match="there is no format 'word'"):
            export_prompt(Prompt(prompt="x"), "word")


class TestCommand:
    def test_one_to_stdout_and_all_to_a_folder(
        self, run: Run, store: PromptStore, tmp_path: Path
    ) -> None:
        store.save("a/greet", "Hi {{ name }}")
        store.set_label("a/greet", "production")
        store.save("b", "Text")
        found = json.loads(out(run("export", "a/greet", "--to", "langfuse")))
        assert found == {
            "name": "a/greet", "type": "text", "prompt": "Hi {{name}}", "config": {},
            "labels": ["production"], "tags": [],
        }  # fmt: skip
        folder = tmp_path / "out"
        assert run("export", "--to", "prompty", "-o", str(folder)).exit_code == 0
        assert (folder / "a/greet.prompty").read_text().endswith("system:\nHi {{ name }}\n")
        (folder / "b.prompty").write_text("edited")
        fails_with(run("export", "b", "--to", "prompty", "-o", str(folder)), "--force overwrites")
        assert run("export", "b", "--to", "prompty", "-o", str(folder), "--force").exit_code == 0

    def test_all_prompts_are_those_that_are_not_deleted(
        self, run: Run, store: PromptStore, tmp_path: Path
    ) -> None:
        store.save("gone", "Old")
        store.save("here", "New")
        store.delete("gone")
        assert run("export", "--to", "prompty", "-o", str(tmp_path / "out")).exit_code == 0
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["here.prompty"]
        fails_with(run("export", "gone", "--to", "prompty"), "was deleted")

    def test_a_file_is_no_folder_to_write_to(
        self, run: Run, store: PromptStore, tmp_path: Path
    ) -> None:
        store.save("here", "New")
        (tmp_path / "file").write_text("")
        words = ("export", "here", "--to", "prompty", "-o", str(tmp_path / "file"))
        fails_with(run(*words), "is a file; name a folder")

    def test_several_need_a_folder_and_strict_fails(
        self, run: Run, store: PromptStore, tmp_path: Path
    ) -> None:
        store.save("a", "Hi")
        store.save("b", LOGIC)
        fails_with(run("export", "--to", "github"), "several prompts need --output FOLDER")
        result = run("export", "a", "--to", "github", "--strict", "-o", str(tmp_path / "o"))
        assert result.exit_code == 1
        assert not (tmp_path / "o").exists()
        result = run("export", "a", "--to", "github", "--strict", "--json", "-o", str(tmp_path))
        assert json.loads(result.stdout)[0]["path"] is None
        result = run("export", "--to", "github", "-o", str(tmp_path / "o"))
        assert result.exit_code == 1
        assert "refused: 'b' cannot be exported to github" in result.stderr
        assert [path.name for path in (tmp_path / "o").iterdir()] == ["a.prompt.yml"]
