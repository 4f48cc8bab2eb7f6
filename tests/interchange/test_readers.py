"""What each format has besides the cases: records, manifests, skills, and the quirks of YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Imported, Refused
from promptstore.interchange.recognition import FORMATS, read_bytes
from promptstore.promptfile.foreign import YamlRules, read_foreign_yaml


def read(path: str, value: Any, form: str | None = None) -> Imported:
    text = value if isinstance(value, str) else json.dumps(value)
    [found] = read_bytes(path, text.encode(), form)
    assert isinstance(found, Imported), found
    return found


def refused(path: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    [found] = read_bytes(path, text.encode())
    assert isinstance(found, Refused), found
    return found.reason


KEYS = ["name", "prompt", "messages", "role", "content", "type", "template", "config", "input",
        "inputs", "schema", "default", "variables", "version", "labels", "tags", "id", "kwargs",
        "prompts", "raw", "description", "metadata", "model", "model_config", "createdAt",
        "instructions", "lc", "input_variables", "system", "defaults", "manifest", "commits",
        "commit_hash", "parent_commit_hash", "full_name"]  # fmt: skip


class TestYaml:
    def test_scalars_by_the_rules_of_yaml_1_1(self) -> None:
        text = "[yes, Off, 100_000, 0o17, 017, 0x1F, 1:30, 2024-01-02, 1.5, .5, ~, 1e3, '5', 1.0.0]"
        expected = [True, False, 100_000, "0o17", 15, 31, 90, "2024-01-02", 1.5, 0.5, None, "1e3",
                    "5", "1.0.0"]  # fmt: skip
        assert read_foreign_yaml(text, "1.1").value == expected

    def test_scalars_by_the_rules_of_yaml_1_2(self) -> None:
        text = "[yes, Off, 100_000, 0o17, 017, 0x1F, 1:30, 2024-01-02, 1.5, .5, ~, 1e3, true]"
        expected = ["yes", "Off", "100_000", 15, 17, 31, "1:30", "2024-01-02", 1.5, 0.5, None,
                    1000.0, True]  # fmt: skip
        assert read_foreign_yaml(text, "1.2").value == expected

    @pytest.mark.parametrize("rules", ["1.1", "1.2"])
    @pytest.mark.parametrize("number", [".inf", "1.5e+999", "9" * 5_000, "0x" + "f" * 4_000])
    def test_a_number_that_json_cannot_hold(self, rules: YamlRules, number: str) -> None:
        with pytest.raises(ImportRefusedError, match="cannot be written as JSON"):
            read_foreign_yaml(f"a: {number}", rules)

    def test_anchors_and_merges(self) -> None:
        text = "a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, c: 3}\n"
        assert read_foreign_yaml(text).value == {
            "a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"b": 1, "c": 3},
        }  # fmt: skip

    def test_a_standard_tag_and_a_key_that_is_no_string(self) -> None:
        assert read_foreign_yaml("{1: !!str 5, true: !!str yes}", "1.1").value == {
            "1": "5", "true": "yes",
        }  # fmt: skip

    def test_a_key_that_stands_twice_is_told(self) -> None:
        found = read_foreign_yaml("a: 1\na: 2\n")
        assert found.value == {"a": 2}
        assert found.losses == ["the key 'a' stands twice; the last one counts"]

    @pytest.mark.parametrize(
        "text",
        [
            "!!python/object/apply:os.system [ls]",
            "a: !!python/name:os.system ''",
            "a: !include other.yaml",
            "a: !Custom {b: 1}",
            "a: !!binary aGk=",
        ],
    )
    def test_a_tag_that_a_program_follows_is_refused(self, text: str) -> None:
        with pytest.raises(ImportRefusedError, match="which only a program can follow"):
            read_foreign_yaml(text)

    def test_aliases_that_grow_without_end_are_refused(self) -> None:
        levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        with pytest.raises(ImportRefusedError, match="too large"):
            read_foreign_yaml("\n".join(levels))

    def test_an_alias_of_itself_is_refused(self) -> None:
        with pytest.raises(ImportRefusedError):
            read_foreign_yaml("a: &a [*a]")

    def test_a_byte_order_mark_and_utf_16(self) -> None:
        text = "messages: [{role: user, content: é}]\n"
        for data in (b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
            [found] = read_bytes("x.prompt.yml", data)
            assert isinstance(found, Imported)
            assert found.prompt.content["messages"] == [{"role": "user", "content": "é"}]

    def test_bytes_that_are_no_text_are_refused(self) -> None:
        [found] = read_bytes("x.md", b"\xff\x80")
        assert found == Refused("x.md", "not UTF-8 at byte 0")


class TestText:
    def test_a_skill(self) -> None:
        text = (
            "---\nname: sort\ndescription: Sort mail.\nlicense: MIT\n---\n\n# Sort\n"
            "See [more](references/more.md) and `{{ x }}`.\n"
        )
        found = read("mail/sort/SKILL.md", text)
        assert found.name == "mail/sort"
        assert found.prompt.content == {
            "description": "Sort mail.",
            "template": "none",
            "prompt": "# Sort\nSee [more](references/more.md) and `{{ x }}`.\n",
            "x-skill": {"name": "sort", "license": "MIT"},
        }
        assert found.losses == ("the file references/more.md beside it does not come along",)

    def test_line_ends_are_normalised(self) -> None:
        assert read("x.txt", "a\r\nb\rc\n").prompt.prompt == "a\nb\nc\n"

    def test_an_empty_file_is_refused(self) -> None:
        assert refused("x.txt", "") == "it has no text and no messages"

    def test_jinja_that_a_prompt_file_has_not_is_kept_as_source(self) -> None:
        found = read("x.j2", "{% macro f() %}x{% endmacro %}{{ f() }}")
        assert not found.is_translated
        assert found.prompt.prompt == "{% macro f() %}x{% endmacro %}{{ f() }}"


class TestRecords:
    def test_mlflow(self) -> None:
        found = read(
            "m.json",
            {"name": "greet", "version": 3, "template": "Hi {{ name }}",
             "model_config": {"model_name": "m", "top_k": None},
             "response_format": {"type": "object"},
             "commit_message": "Shorter", "tags": {"team": "x"}, "aliases": ["production"],
             "creation_timestamp": 1_700_000_000_000, "user_id": "ann@example.com"},
        )  # fmt: skip
        [version] = found.versions
        assert version.prompt.content == {
            "template": "simple",
            "prompt": "Hi {{ name }}",
            "config": {"model_name": "m", "response_format": {"type": "object"}},
            "metadata": {"tags": {"team": "x"}},
        }
        assert (version.key, version.author, version.message, version.labels) == (
            "mlflow 3", "ann <ann@example.com>", "Shorter", ("production",),
        )  # fmt: skip
        assert version.authored_at is not None
        assert version.authored_at.isoformat() == "2023-11-14T22:13:20+00:00"

    def test_a_page_of_posthog(self) -> None:
        chat = json.dumps([{"role": "system", "content": "Be {{tone}}"}])
        record = {"id": "u", "name": "greet", "prompt": chat, "version": 2, "is_latest": True,
                  "version_description": "Kind", "config": None, "labels": [{"name": "Prod"}],
                  "created_by": {"first_name": "Ann", "email": "ann@example.com"},
                  "created_at": "2024-05-02T10:00:00Z"}  # fmt: skip
        found = read("page.json", {"count": 1, "results": [record]})
        assert found.prompt.content == {
            "template": "simple",
            "messages": [{"role": "system", "content": "Be {{tone}}"}],
        }
        assert found.versions[0].author == "Ann <ann@example.com>"
        assert found.losses == ("the label 'Prod' is none here",)

    def test_a_prompt_object_of_openai(self) -> None:
        found = read(
            "pasted.json",
            {"id": "pmpt_1a", "version": "2", "name": "Triage", "model": "gpt-x",
             "instructions": "You sort {{kind}}.", "temperature": 0.2,
             "input": [{"role": "user", "content": [{"type": "input_text", "text": "{{ticket}}"}]}],
             "variables": {"kind": "mail", "ticket": ""}, "tools": [{"type": "web_search"}],
             "text": {"format": {"type": "text"}}, "reasoning": {"effort": "low"}},
        )  # fmt: skip
        assert found.name == "Triage"
        assert found.prompt.content == {
            "template": "simple",
            "variables": {"kind": {"default": "mail"}, "ticket": {}},
            "messages": [
                {"role": "developer", "content": "You sort {{kind}}."},
                {"role": "user", "content": "{{ticket}}"},
            ],
            "config": {
                "model": "gpt-x", "temperature": 0.2, "tools": [{"type": "web_search"}],
                "text": {"format": {"type": "text"}}, "reasoning": {"effort": "low"},
            },
            "x-openai": {"id": "pmpt_1a"},
        }  # fmt: skip

    def test_a_version_that_cannot_come_in_keeps_all_of_them_out(self) -> None:
        base = {"name": "a", "type": "text"}
        records = [
            {**base, "version": 1, "prompt": "x"},
            {**base, "version": 2, "prompt": "@@@langfusePrompt:version=1@@@"},
        ]
        assert refused("x.json", records) == (
            "version 2: reference to a prompt without its name ('version=1')"
        )


def template(text: str, form: str = "f-string") -> dict[str, Any]:
    path = ["langchain", "prompts", "prompt", "PromptTemplate"]
    inner = {"template": text, "template_format": form, "input_variables": []}
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": inner}


def message(kind: str, **inner: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", kind], "kwargs": inner}


class TestLangSmith:
    def chat(self, *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
        return message("ChatPromptTemplate", messages=[*messages], **more)

    def test_a_manifest(self) -> None:
        found = read(
            "hub.json",
            self.chat(
                message("SystemMessagePromptTemplate", prompt=template("Be {tone}, {{ok}}")),
                message("MessagesPlaceholder", variable_name="history", optional=True),
                message("HumanMessagePromptTemplate", prompt=template("{q}")),
            ),
        )
        assert found.prompt.content == {
            "template": "simple",
            "variables": {"history": {"type": "messages", "default": []}, "q": {}, "tone": {}},
            "messages": [
                {"role": "system", "content": "Be {{tone}}, {ok}"},
                {"insert": "history"},
                {"role": "user", "content": "{{q}}"},
            ],
        }

    def test_a_model_behind_it_becomes_config_without_its_secret(self) -> None:
        secret = {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}
        model = message("ChatOpenAI", model="m", temperature=0.1, openai_api_key=secret)
        first = self.chat(message("HumanMessagePromptTemplate", prompt=template("{q}")))
        found = read("hub.json", message("RunnableSequence", first=first, last=model))
        assert found.prompt.config == {"model": "m", "temperature": 0.1}
        assert found.losses == ("ChatOpenAI becomes config; it is not called",)

    def test_mustache_that_is_a_loop_or_a_condition_is_kept_as_source(self) -> None:
        one = message("HumanMessagePromptTemplate", prompt=template("{{#a}}x{{/a}}", "mustache"))
        found = read("hub.json", self.chat(one))
        assert not found.is_translated

    def test_what_is_kept_as_source_keeps_its_declarations_as_metadata(self) -> None:
        found = read("p.prompt", "---\ninput: {schema: {a: string}}\n---\n{{shout a}}\n")
        assert found.prompt.content == {
            "template": "none",
            "prompt": "{{shout a}}\n",
            "metadata": {"inputSchema": {"a": "string"}, "variables": {"a": {"type": "string"}}},
        }

    def test_an_object_that_only_code_makes_is_refused(self) -> None:
        value = {"lc": 1, "type": "not_implemented", "id": ["x"], "repr": "evil()"}
        assert refused("hub.json", value) == "langsmith: an object that only its program can load"


class TestOthers:
    def test_code_of_llm_is_kept_as_text(self) -> None:
        text = "prompt: 'Do $x'\nfunctions: |\n  import os\nfragments: [a.md]\n"
        found = read("t.yaml", text)
        assert found.prompt.extensions == {
            "x-llm": {"functions": "import os\n", "fragments": ["a.md"]}
        }
        assert found.losses == (
            "functions is code: it is kept as text and never run",
            "fragments is not followed and stays a list of names",
        )

    def test_many_prompts_of_promptfoo(self) -> None:
        text = (
            "prompts:\n  - 'Hi {{ name }}'\n  - {label: Long one, raw: '{% if a %}x{% endif %}'}\n"
            "  - file://p.txt\nproviders: [m]\n"
        )
        one, two, three = read_bytes("conf.yaml", text.encode())
        assert isinstance(one, Imported)
        assert isinstance(two, Imported)
        assert (one.name, one.prompt.prompt) == ("conf-1", "Hi {{ name }}")
        assert (two.name, two.prompt.prompt) == ("Long-one", "{%+ if a +%}x{%+ endif +%}")
        assert three == Refused(
            "conf.yaml: conf-3", "file://p.txt is not followed; import that file by itself"
        )

    def test_messages_of_semantic_kernel(self) -> None:
        text = (
            'template: |\n  <message role="system">Be {{tone}} &amp; short</message>\n'
            '  <message role="user">{{q}}</message>\ntemplate_format: handlebars\n'
        )
        found = read("k.yaml", text)
        assert found.prompt.content["messages"] == [
            {"role": "system", "content": "Be {{ tone }} & short"},
            {"role": "user", "content": "{{ q }}"},
        ]

    def test_a_transcript_on_one_line_stays_a_string(self) -> None:
        body = "{% for m in turns %}\n{{m.role}}: {{m.content}}\n{% endfor %}"
        found = read("t.prompty", f"---\nname: t\n---\nsystem:\n{body}\n")
        assert found.prompt.content["messages"] == [
            {
                "role": "system",
                "content": "{%+ for m in turns +%}\n{{m.role}}: {{m.content}}\n{%+ endfor +%}",
            }
        ]

    def test_roles_of_other_tools(self) -> None:
        text = "messages: [{role: model, content: a}, {role: bot, content: b}]\n"
        messages = read("t.prompt.yml", text).prompt.content["messages"]
        assert [message["role"] for message in messages] == ["assistant", "assistant"]

    def test_media_of_dotprompt_and_a_partial(self) -> None:
        found = read("a/p.prompt", "Look:\n{{media url=photo}}\n{{>tone}}\n")
        [only] = found.prompt.content["messages"]
        assert only["content"] == [
            {"type": "text", "text": "Look:\n"},
            {"type": "image_url", "image_url": {"url": "{{ photo }}"}},
            {"type": "text", "text": '\n{% include "a/_tone" +%}'},
        ]
        assert read("a/_tone.prompt", "Be kind.\n").prompt.prompt == "Be kind.\n"


ODD = [
    ("b.prompt", "---\nfoo: [\n---\nhi"),
    ("bad.json", '{"a":[1,2'),
    ("broken.prompt.yml", "x: [1\n"),
    ("d.prompt", '---\ninput: 5\nmetadata: 6\n---\n{{role "wizard"}}hi'),
    ("d2.prompt", '---\ninput: {schema: {"a b": string, c: 5}, default: 5}\n---\nhi {{#if'),
    ("k.yaml", "template: 5\ninput_variables: 3\ntemplate_format: handlebars\n"),
    ("lc.json", '{"lc":1,"type":"constructor","id":[],"kwargs":{"messages":[5]}}'),
    (
        "lc2.json",
        '{"lc":1,"type":"constructor","id":["ChatPromptTemplate"],"kwargs":{"messages":[5]}}',
    ),
    (
        "lc3.json",
        '{"lc":1,"type":"constructor","id":["RunnableSequence"],"kwargs":{"first":3,"last":[1]}}',
    ),
    ("lct.yaml", '_type: prompt\ntemplate: "{a"\n'),
    (
        "lf.json",
        '[{"name":"a","type":"chat","prompt":[{"role":5}]},{"name":"b","type":"text","prompt":7},{"name":["x"],"type":"text","prompt":"x","labels":5,"createdAt":{},"version":{}}]',
    ),
    ("lf2.json", '[{"type":"text","prompt":"x"},7]'),
    ("list.yaml", "- a\n- b\n"),
    ("llm.yaml", 'prompt: "$x"\ndefaults: 5\n'),
    ("m.prompt.yml", "messages: {a: b}\nmodel: 3\n"),
    ("m2.prompt.yml", "messages: [{role: user, content: {a: 1}}, {role: wizard, content: hi}]\n"),
    ("oa.json", '{"id":"pmpt_x","instructions":5,"input":[5],"variables":"x"}'),
    ("odd.yaml", "system: Be brief.\nuser: Hi {{name}}\n"),
    ("p.prompty", "---\ninputs: [1, {kind: string}]\nmodel: 5\ntemplate: [1]\n---\nsystem:\nhi"),
    ("pf.yaml", "prompts: 5\nproviders: []\n"),
]


@pytest.mark.parametrize(("path", "text"), ODD)
def test_an_odd_source_comes_in_or_is_refused_with_a_reason(path: str, text: str) -> None:
    for found in read_bytes(path, text.encode()):
        assert isinstance(found, Imported) or found.reason


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "x", "{{x}}", "{x"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6), st.sampled_from(FORMATS))
def test_any_value_comes_in_or_is_refused(value: dict[str, Any], form: str) -> None:
    data = json.dumps(value).encode()
    if form in ("prompty", "dotprompt", "markdown", "skill", "jinja"):
        data = b"---\n" + data + b"\n---\nsystem:\nhi {{x}}\n"
    for found in read_bytes("x.json", data, form):
        assert isinstance(found, Imported) or found.reason
