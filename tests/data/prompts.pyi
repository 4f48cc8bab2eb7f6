"""The prompts of this repository, for type checkers: made by `promptstore stubs`, not by hand."""

# ruff: noqa
# mypy: disable-error-code="override"
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict, overload

from promptstore import Prompt, PromptStore, RenderedPrompt

Name = Literal[
    'events/summarize',
    'judge/answer',
    'logs/explain',
    'release/changelog-entry',
    'review/prompt-change',
    'shared/tone',
    'shared/untrusted',
    'support/reply',
    'traces/name',
    'translate',
]

EventsSummarizeValues = TypedDict(
    'EventsSummarizeValues',
    {
        'representation': str,
        'max_sentences': NotRequired[int],
    },
)

class EventsSummarize(Prompt):
    """events/summarize: Summarise one generation from the text that text_repr makes of it."""

    def render(self, /, *, representation: str, max_sentences: int = ...) -> RenderedPrompt: ...

JudgeAnswerValues = TypedDict(
    'JudgeAnswerValues',
    {
        'question': str,
        'answer': str,
        'reference': NotRequired[str],
        'criteria': NotRequired[list[Any] | tuple[Any, ...]],
    },
)

class JudgeAnswer(Prompt):
    """judge/answer: Judge an answer by a rubric, as structured JSON."""

    def render(self, /, *, question: str, answer: str, reference: str = ..., criteria: list[Any] | tuple[Any, ...] = ...) -> RenderedPrompt: ...

LogsExplainValues = TypedDict(
    'LogsExplainValues',
    {
        'entry': str,
        'boundary': NotRequired[str],
        'context': NotRequired[str],
    },
)

class LogsExplain(Prompt):
    """logs/explain: Explain one log entry to the engineer on call, as structured JSON."""

    def render(self, /, *, entry: str, boundary: str = ..., context: str = ...) -> RenderedPrompt: ...

ReleaseChangelogEntryValues = TypedDict(
    'ReleaseChangelogEntryValues',
    {
        'title': str,
        'description': NotRequired[str],
        'diff': str,
    },
)

class ReleaseChangelogEntry(Prompt):
    """release/changelog-entry: Write the changelog entry for a merged change."""

    def render(self, /, *, title: str, diff: str, description: str = ...) -> RenderedPrompt: ...

ReviewPromptChangeValues = TypedDict(
    'ReviewPromptChangeValues',
    {
        'name': str,
        'diff': str,
        'purpose': NotRequired[str],
    },
)

class ReviewPromptChange(Prompt):
    """review/prompt-change: Review a change of a prompt in a pull request."""

    def render(self, /, *, name: str, diff: str, purpose: str = ...) -> RenderedPrompt: ...

SharedToneValues = TypedDict(
    'SharedToneValues',
    {},
)

class SharedTone(Prompt):
    """shared/tone: How a text for a person reads; included by prompts that write to people."""

    def render(self, /) -> RenderedPrompt: ...

SharedUntrustedValues = TypedDict(
    'SharedUntrustedValues',
    {},
)

class SharedUntrusted(Prompt):
    """shared/untrusted: How to treat text between tags; included by prompts that quote what others wrote."""

    def render(self, /) -> RenderedPrompt: ...

SupportReplyValues = TypedDict(
    'SupportReplyValues',
    {
        'product': str,
        'ticket': str,
        'tier': NotRequired[Literal['free', 'pro', 'enterprise']],
        'history': NotRequired[list[dict[str, Any]]],
        'articles': NotRequired[list[Any] | tuple[Any, ...]],
    },
)

class SupportReply(Prompt):
    """support/reply: Draft a reply to a support ticket."""

    def render(self, /, *, product: str, ticket: str, tier: Literal['free', 'pro', 'enterprise'] = ..., history: list[dict[str, Any]] = ..., articles: list[Any] | tuple[Any, ...] = ...) -> RenderedPrompt: ...

TracesNameValues = TypedDict(
    'TracesNameValues',
    {
        'representation': str,
    },
)

class TracesName(Prompt):
    """traces/name: Give a trace a short name that can be found again in a list."""

    def render(self, /, *, representation: str) -> RenderedPrompt: ...

TranslateValues = TypedDict(
    'TranslateValues',
    {
        'text': str,
        'language': str,
        'boundary': NotRequired[str],
        'formality': NotRequired[Literal['neutral', 'formal', 'informal']],
        'glossary': NotRequired[Mapping[str, Any]],
    },
)

class Translate(Prompt):
    """translate: Translate a text and leave placeholders, markup and code as they are."""

    def render(self, /, *, text: str, language: str, boundary: str = ..., formality: Literal['neutral', 'formal', 'informal'] = ..., glossary: Mapping[str, Any] = ...) -> RenderedPrompt: ...

class Prompts(PromptStore):
    """The store; cast what `PromptStore.open` gives."""

    @overload
    def get(self, name: Literal['events/summarize'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> EventsSummarize: ...

    @overload
    def get(self, name: Literal['judge/answer'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> JudgeAnswer: ...

    @overload
    def get(self, name: Literal['logs/explain'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> LogsExplain: ...

    @overload
    def get(self, name: Literal['release/changelog-entry'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> ReleaseChangelogEntry: ...

    @overload
    def get(self, name: Literal['review/prompt-change'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> ReviewPromptChange: ...

    @overload
    def get(self, name: Literal['shared/tone'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> SharedTone: ...

    @overload
    def get(self, name: Literal['shared/untrusted'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> SharedUntrusted: ...

    @overload
    def get(self, name: Literal['support/reply'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> SupportReply: ...

    @overload
    def get(self, name: Literal['traces/name'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> TracesName: ...

    @overload
    def get(self, name: Literal['translate'], *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ..., deleted: bool = ...) -> Translate: ...

    @overload
    def render(self, name: Literal['events/summarize'], variables: EventsSummarizeValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['judge/answer'], variables: JudgeAnswerValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['logs/explain'], variables: LogsExplainValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['release/changelog-entry'], variables: ReleaseChangelogEntryValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['review/prompt-change'], variables: ReviewPromptChangeValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['shared/tone'], variables: SharedToneValues | None = ..., *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['shared/untrusted'], variables: SharedUntrustedValues | None = ..., *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['support/reply'], variables: SupportReplyValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['traces/name'], variables: TracesNameValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...

    @overload
    def render(self, name: Literal['translate'], variables: TranslateValues, *, version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., fallback: Prompt | str | None = ...) -> RenderedPrompt: ...
