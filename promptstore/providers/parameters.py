"""A prompt's config → what was asked of the model, each thing taken once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from promptstore.errors import ProviderError

SECTIONS: Final = ("openai", "anthropic", "gemini", "bedrock")
"""Keys of a config that hold parameters for one vendor only, passed as they are."""

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "max_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens"),
    "stop": ("stop", "stop_sequences"),
    "effort": ("reasoning_effort",),
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
    """

    name: str
    description: str | None
    schema: Mapping[str, Any]
    strict: bool | None = None
    cache: Mapping[str, Any] | None = None


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


ToolList: TypeAlias = list[Tool | Mapping[str, Any]]
"""Functions, and tools that only the vendor knows, as they are."""


class Parameters:
    """The config of a prompt, from which a vendor takes what it knows.

    Args:
        provider: The vendor as people call it, for errors.
        section: The key of this vendor's own parameters; see `SECTIONS`.
        config: The prompt's config.
        overrides: Parameters of this call, which replace those of the config.
    """

    def __init__(
        self, provider: str, section: str, config: Mapping[str, Any], overrides: Mapping[str, Any]
    ) -> None:
        self.provider = provider
        self._section = section
        left = {key: value for key, value in config.items() if key not in SECTIONS}
        for key in overrides:
            for spelling in _spellings_of(key):
                left.pop(spelling, None)
        self._left = {**left, **overrides}
        own = config.get(section, {})
        if not isinstance(own, Mapping):
            raise self.error(section, "must hold parameters by name")
        self.own: dict[str, Any] = dict(own)

    def error(self, key: str, reason: str) -> ProviderError:
        """Make the error about a key of the config."""
        return ProviderError(provider=self.provider, path=f"config.{key}", reason=reason)

    def has(self, name: str) -> bool:
        """Return whether a parameter is given in just this spelling."""
        return self._left.get(name) is not None

    def take(self, key: str) -> Any:
        """Take a parameter.

        Args:
            key: Its name in `SPELLINGS`, or the one way in which it is written.

        Returns:
            Its value, or None where it is not given.

        Raises:
            ProviderError: It is given in two spellings.
        """
        given = [name for name in SPELLINGS.get(key, (key,)) if self._left.get(name) is not None]
        if len(given) > 1:
            raise self.error(given[1], f"says the same as `{given[0]}`; keep one of them")
        return self._left.pop(given[0]) if given else None

    def take_all(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Take parameters by a table from their name here to their name at the vendor."""
        taken = {theirs: self.take(ours) for ours, theirs in names.items()}
        return {name: value for name, value in taken.items() if value is not None}

    def take_model(self) -> str:
        """Take the model's name, which every vendor needs.

        Raises:
            ProviderError: There is none.
        """
        model = self.own.get("model") or self.take("model")
        self._left.pop("model", None)
        if not isinstance(model, str) or not model:
            raise self.error(
                "model", "needs a model; name one in the prompt's config, or pass `model=`"
            )
        return model

    def take_tools(self) -> ToolList:
        """Take the tools, in the shape of OpenAI's or Anthropic's APIs."""
        return [self._tool(tool, index) for index, tool in enumerate(self.take("tools") or ())]

    def take_tool_choice(self) -> ToolChoice | None:
        """Take which tool must be called, in the shape of OpenAI's or Anthropic's APIs."""
        choice, parallel = self.take("tool_choice"), self.take("parallel_tool_calls")
        if choice is None:
            return None if parallel is None else ToolChoice(None, parallel=parallel)
        if isinstance(choice, str):
            choice = {"type": choice}
        if not isinstance(choice, Mapping):
            raise self.error("tool_choice", "must be a word or an object")
        if choice.get("disable_parallel_tool_use") is not None:
            parallel = not choice["disable_parallel_tool_use"]
        match choice.get("type"):
            case "auto":
                return ToolChoice("auto", parallel=parallel)
            case "none":
                return ToolChoice("none", parallel=parallel)
            case "required" | "any":
                return ToolChoice("required", parallel=parallel)
            case "function" | "tool":
                name = choice.get("name") or choice.get("function", {}).get("name")
                return ToolChoice("tool", name, parallel)
        raise self.error("tool_choice", f"has no place for the type {choice.get('type')!r}")

    def take_stop(self) -> list[str]:
        """Take the texts at which the model stops, one or several."""
        stop = self.take("stop")
        return [stop] if isinstance(stop, str) else list(stop or ())

    def take_answer_format(self) -> AnswerFormat | None:
        """Take what the answer must look like, in the shape of either of OpenAI's APIs."""
        given = self.take("response_format")
        if given is None:
            return None
        kind = given.get("type") if isinstance(given, Mapping) else None
        if kind in ("text", "json_object"):
            return AnswerFormat(kind)
        inner = given.get("json_schema", given) if kind == "json_schema" else {}
        if not isinstance(inner.get("schema"), Mapping):
            raise self.error(
                "response_format",
                "wants one of `text`, `json_object` and `json_schema`, this one with a `schema`",
            )
        return AnswerFormat(
            "json_schema",
            inner["schema"],
            inner.get("name", "answer"),
            inner.get("description"),
            inner.get("strict"),
        )

    def finish(self, refused: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Refuse what nobody took.

        Args:
            refused: Why parameters that other vendors know cannot be taken, by name.

        Returns:
            The vendor's own parameters, passed as they are.

        Raises:
            ProviderError: Something is left.
        """
        left = [key for key, value in self._left.items() if value is not None]
        if left:
            reason = (refused or {}).get(
                left[0],
                f"has no such parameter; what is for this vendor alone goes into "
                f"`config.{self._section}`, what is no parameter into `metadata`",
            )
            raise self.error(left[0], reason)
        return self.own

    def _tool(self, tool: Any, index: int) -> Tool | Mapping[str, Any]:
        if not isinstance(tool, Mapping):
            raise self.error(f"tools[{index}]", "takes a tool as an object")
        inner = tool.get("function") if tool.get("type") == "function" else tool
        inner = tool if inner is None else inner
        schema = inner.get("parameters", inner.get("input_schema"))
        is_function = tool.get("type") in ("function", "custom", None) and "name" in inner
        if not is_function or (schema is None and tool.get("type") == "custom"):
            return tool
        return Tool(
            inner["name"],
            inner.get("description"),
            schema or {"type": "object", "properties": {}},
            inner.get("strict"),
            tool.get("cache_control"),
        )


def _spellings_of(key: str) -> tuple[str, ...]:
    return next((names for names in SPELLINGS.values() if key in names), (key,))
