"""A prompt's config → what was asked of the model, each thing taken once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from promptstore.errors import ProviderError
from promptstore.providers.blocks import Fields, refusal

SECTIONS: Final = ("openai", "anthropic", "gemini", "bedrock")
"""Keys of a config that hold parameters for one vendor only, passed as they are."""

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "max_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens"),
    "stop": ("stop", "stop_sequences"),
}
"""The ways in which people write a parameter; one that is not here has one way."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: Its name.
        description: What it does, or None.
        schema: The JSON Schema of its arguments.
        strict: Whether arguments must fit the schema, or None where that is not said.
        cache: The cache marker behind it, or None.
        own: Keys that only the vendor knows, as they are.
    """

    name: str
    description: str | None
    schema: Mapping[str, Any]
    strict: bool | None = None
    cache: Mapping[str, Any] | None = None
    own: Mapping[str, Any] = field(default_factory=dict)

    def written(self, schema_key: str) -> dict[str, Any]:
        """Return what most vendors write, with the schema under this key."""
        written: dict[str, Any] = {"name": self.name, schema_key: self.schema}
        if self.description is not None:
            written["description"] = self.description
        if self.strict is not None:
            written["strict"] = self.strict
        return {**written, **self.own}


ToolList: TypeAlias = list[Tool | Mapping[str, Any]]
"""Functions, and tools that only the vendor knows, as they are."""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tool the model must call.

    Attributes:
        mode: ``auto``, ``none``, ``required`` (some tool), ``tool`` (the one that is named), or
            None where only `parallel` is said.
        name: The tool's name for the mode ``tool``.
        parallel: Whether several calls at once are allowed, or None where that is not said.
    """

    mode: Literal["auto", "none", "required", "tool"] | None
    name: str | None = None
    parallel: bool | None = None


_MODES: Final[Mapping[str | None, Literal["auto", "none", "required", "tool"]]] = {
    "auto": "auto", "none": "none", "required": "required", "any": "required",
    "function": "tool", "tool": "tool",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What the answer must look like.

    Attributes:
        kind: ``text``, ``json_object`` (any JSON), or ``json_schema``.
        schema: The JSON Schema.
        name: The schema's name.
        description: What the answer is for, or None.
        strict: Whether the answer must fit the schema, or None where that is not said.
    """

    kind: Literal["text", "json_object", "json_schema"]
    schema: Mapping[str, Any] | None = None
    name: str = "answer"
    description: str | None = None
    strict: bool | None = None

    def written(self) -> dict[str, Any]:
        """Return the schema with its name, as both of OpenAI's APIs take it."""
        written: dict[str, Any] = {"name": self.name, "schema": self.schema}
        if self.description is not None:
            written["description"] = self.description
        return written if self.strict is None else {**written, "strict": self.strict}

    def described_schema(self) -> dict[str, Any]:
        """Return the schema with the description in it, for vendors that take nothing beside it."""
        outer = {} if self.description is None else {"description": self.description}
        return {**outer, **(self.schema or {})}


class Call(NamedTuple):
    """A call of a model by a rendered prompt.

    Attributes:
        messages: The rendered messages.
        config: The prompt's config.
        overrides: Parameters of this call alone, which replace those of the config.
    """

    messages: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    overrides: Mapping[str, Any]


class Parameters:
    """The config of a prompt, from which a vendor takes what it knows.

    What is given for one call replaces what the vendor's own section says, and that the rest of the
    config; None takes a parameter away.

    Args:
        section: The key of this vendor's own parameters; see `SECTIONS`.
        call: The call, whose messages are of no account here.

    Raises:
        ProviderError: The section is no object.
    """

    def __init__(self, section: str, call: Call) -> None:
        _, config, overrides = call
        self._section = section
        own = config.get(section, {})
        if not isinstance(own, Mapping):
            raise self.error(section, "needs an object here")
        replaced = {name for key in overrides for name in _spellings_of(key)}
        self.own = {key: value for key, value in own.items() if key not in replaced}
        replaced |= {name for key in self.own for name in _spellings_of(key)}
        left = {**config, **overrides}
        for name in {*SECTIONS, *(replaced - overrides.keys())}:
            left.pop(name, None)
        self._left = {key: value for key, value in left.items() if value is not None}

    def error(self, key: str, reason: str) -> ProviderError:
        """Make the error about a key of the config."""
        return refusal(f"config.{key}", reason)

    def has(self, name: str) -> bool:
        """Return whether a parameter is given in just this spelling."""
        return name in self._left

    def take(self, key: str) -> Any:
        """Take a parameter.

        Args:
            key: Its name in `SPELLINGS`, or the one way in which it is written.

        Returns:
            Its value, or None where it is not given.

        Raises:
            ProviderError: It is given in two spellings.
        """
        given = [name for name in SPELLINGS.get(key, (key,)) if name in self._left]
        if len(given) > 1:
            raise self.error(given[1], f"takes this once, and `{given[0]}` says the same")
        return self._left.pop(given[0]) if given else None

    def take_all(self, *same: str, **names: str) -> dict[str, Any]:
        """Take parameters.

        Args:
            *same: Names that the vendor uses too.
            **names: The vendor's names by ours.

        Returns:
            What is given, by the vendor's names.
        """
        ours = {**{name: name for name in same}, **names}
        taken = {theirs: self.take(name) for name, theirs in ours.items()}
        return {name: value for name, value in taken.items() if value is not None}

    def take_model(self) -> str:
        """Take the model's name, which every vendor needs.

        Raises:
            ProviderError: There is none.
        """
        model = self.own.pop("model", None) or self.take("model")
        if not isinstance(model, str) or not model:
            raise self.error(
                "model", "needs a model; name one in the prompt's config, or pass `model=`"
            )
        return model

    def take_tools(self, own: frozenset[str] = frozenset()) -> ToolList:
        """Take the tools, in the shape of OpenAI's or Anthropic's APIs.

        Args:
            own: Keys of functions that this vendor takes as they are.

        Raises:
            ProviderError: One is no tool.
        """
        config = Fields({"tools": self.take("tools")}, "config")
        return [_read_tool(Fields(tool, path), tool, own) for tool, path in config.items("tools")]

    def write_tools(
        self,
        write: Callable[[Parameters, Tool | Mapping[str, Any], int], dict[str, Any]],
        own: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """Take the tools and return them as ``tools``; nothing where there are none.

        Args:
            write: Writes one of them, which has this number.
            own: See `take_tools`.
        """
        written = [write(self, tool, index) for index, tool in enumerate(self.take_tools(own))]
        return {"tools": written} if written else {}

    def take_tool_choice(self) -> ToolChoice | None:
        """Take which tool must be called, in the shape of OpenAI's or Anthropic's APIs.

        Raises:
            ProviderError: It is nothing that is known.
        """
        choice, parallel = self.take("tool_choice"), self.take("parallel_tool_calls")
        if choice is None:
            return None if parallel is None else ToolChoice(None, parallel=parallel)
        fields = Fields(
            {"type": choice} if isinstance(choice, str) else choice, "config.tool_choice"
        )
        if "disable_parallel_tool_use" in fields:
            parallel = not fields.take("disable_parallel_tool_use")
        kind = fields.require("type")
        if kind not in _MODES:
            raise fields.error(f"has no choice of the type {kind!r}; {self._elsewhere}")
        name = None
        if _MODES[kind] == "tool":
            name = (fields.inner("function") if "function" in fields else fields).require("name")
        fields.finish()
        return ToolChoice(_MODES[kind], name, parallel)

    def take_stop(self) -> list[str]:
        """Take the strings at which the model stops, one or several."""
        stop = self.take("stop")
        return [stop] if isinstance(stop, str) else list(stop or ())

    def take_effort(self, *known: str) -> str | None:
        """Take how long the model thinks, which is one of the words that the vendor knows.

        Raises:
            ProviderError: It is another word.
        """
        effort: str | None = self.take("reasoning_effort")
        if effort not in (None, *known):
            raise self.error("reasoning_effort", f"takes one of {', '.join(known)}")
        return effort

    def take_schema(self) -> AnswerFormat | None:
        """Take the schema of the answer, for a vendor that knows no JSON without one.

        Returns:
            The schema, or None for an answer in words.

        Raises:
            ProviderError: It is nothing that is known, or JSON without a schema.
        """
        answer = self.take_answer_format()
        if answer is None or answer.kind == "text":
            return None
        if answer.schema is None:
            raise self.error("response_format", "takes no JSON without a schema; give one")
        return answer

    def take_answer_format(self) -> AnswerFormat | None:
        """Take what the answer must look like, in the shape of either of OpenAI's APIs.

        Raises:
            ProviderError: It is nothing that is known.
        """
        given = self.take("response_format")
        if given is None:
            return None
        fields = Fields(given, "config.response_format")
        match fields.require("type"):
            case "text":
                answer = AnswerFormat("text")
            case "json_object":
                answer = AnswerFormat("json_object")
            case "json_schema":
                inner = fields.inner("json_schema") if "json_schema" in fields else fields
                schema = inner.take("schema")
                if not isinstance(schema, Mapping):
                    raise inner.error("needs a JSON Schema here", "schema")
                name, description = inner.string("name"), inner.string("description")
                answer = AnswerFormat(
                    "json_schema", schema, name or "answer", description, inner.take("strict")
                )
                inner.finish()
            case kind:
                raise fields.error(f"takes text, json_object or json_schema, not {kind!r}", "type")
        fields.finish()
        return answer

    def finish(self, reasons: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Refuse what nobody took.

        Args:
            reasons: What to do about parameters that other vendors have, by name.

        Returns:
            The vendor's own parameters, passed as they are.

        Raises:
            ProviderError: Something is left.
        """
        for key in self._left:
            advice = (reasons or {}).get(key, f"leave it out, or {self._elsewhere}")
            raise self.error(key, f"has no parameter `{key}`; {advice}")
        return self.own

    @property
    def _elsewhere(self) -> str:
        return f"put what only this vendor takes into `config.{self._section}`"


def _read_tool(
    fields: Fields, tool: Mapping[str, Any], own: frozenset[str]
) -> Tool | Mapping[str, Any]:
    kind = fields.string("type")
    inner = fields.inner("function") if kind == "function" and "function" in fields else fields
    schema = inner.take("parameters") or inner.take("input_schema")
    is_function = kind in ("function", None) or (kind == "custom" and schema is not None)
    if not is_function or "name" not in inner:
        return tool
    cache = fields.take("cache_control")
    name, description = inner.require("name"), inner.string("description")
    schema, strict = schema or {"type": "object", "properties": {}}, inner.take("strict")
    left = fields.finish(own) if inner is fields else {**fields.finish(own), **inner.finish(own)}
    return Tool(name, description, schema, strict, cache, left)


def _spellings_of(key: str) -> tuple[str, ...]:
    return next((names for names in SPELLINGS.values() if key in names), (key,))
