"""Every exception that promptstore raises.

::

    PromptStoreError
    ├── InvalidNameError            (ValueError)   not a prompt name
    ├── InvalidArgumentError        (ValueError)   a call that contradicts itself
    ├── NotFoundError               (LookupError)
    │   ├── PromptNotFoundError     (KeyError)     no such prompt
    │   │   └── PromptDeletedError                 there was one; it is tombstoned
    │   ├── VersionNotFoundError                   no such version of this prompt
    │   ├── RevisionNotFoundError                  git cannot resolve the rev
    │   ├── NotInBundleError                       a bundle was built without this
    │   └── LabelNotFoundError                     the label does not point this prompt anywhere
    ├── HistoryUnavailableError     (LookupError)  versions cannot be known here
    ├── PromptFileError             (ValueError)   a broken prompt file, with every fault in it
    ├── TemplateError               (ValueError)
    │   ├── TemplateSyntaxError                    a template that cannot be compiled
    │   ├── IncludeError                           an include that cannot be followed
    │   ├── VariableError                          missing, unknown and wrong values, all at once
    │   └── RenderError                            a template that failed while it was rendered
    │       └── LimitError                         a render that grew past a limit
    ├── EventError                  (ValueError)   what was given is no event
    ├── ProviderError               (ValueError)   what a vendor's API cannot take
    ├── ConflictError               (RuntimeError) somebody else's work stands in the way
    ├── RepositoryError             (OSError)      git could not do it
    │   ├── RepositoryNotFoundError
    │   ├── UnsupportedRepositoryError             reftable, SHA-256
    │   ├── RepositoryLockedError   (TimeoutError) another process holds a lock for too long
    │   ├── FetchError              (ConnectionError) a remote repository gave no whole answer
    │   └── ReadOnlyError                          nothing can be written here
    ├── BundleError                 (ValueError)   a file that is no whole bundle
    ├── ForgeError                  (OSError)      GitHub or GitLab did not take a comment
    ├── RemoteError                 (OSError)      a remote prompts API could not do it
    │   ├── RemoteUnreachableError  (ConnectionError) no whole answer came
    │   ├── RemoteAnswerError       (ValueError)   an answer that is none of this API
    │   ├── RemoteRejectedError     (ValueError)   400 and the like: the request is not accepted
    │   ├── RemoteKeyError          (PermissionError) 401: the key is missing or wrong
    │   ├── RemotePermissionError   (PermissionError) 403: the key may not do this
    │   ├── RemoteNotFoundError     (LookupError)  404
    │   ├── RemoteConflictError                    409: it changed there meanwhile
    │   ├── RemoteThrottledError                   429: too many requests
    │   └── RemoteServerError                      5xx: the remote failed
    ├── SyncRefusedError            (ValueError)   a prompt that the other side cannot hold
    ├── MassDeletionError           (RuntimeError) a sync that would delete a third of all prompts
    ├── ModelError                  (OSError)      a language model gave no whole answer
    ├── LogStoreError               (OSError)      log entries cannot be kept or asked for
    │   └── LogStoreBusyError                      more came than are written; send them again
    ├── LogFormatError              (ValueError)   log entries that nobody can read
    │   └── LogsTooLargeError                      more than is taken at once
    ├── ImportRefusedError          (ValueError)   a source of another tool that cannot come in
    ├── ExportRefusedError          (ValueError)   a prompt that another format cannot say
    └── MissingExtraError           (ImportError)  an optional part is not installed

The facts are attributes; each class makes its own sentence from them. Every exception pickles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


def _restore(cls: type[PromptStoreError], facts: dict[str, Any]) -> PromptStoreError:
    error = cls.__new__(cls)
    error.__dict__.update(facts)
    return error


class PromptStoreError(Exception):
    """The base of every error that promptstore raises on purpose."""

    def _sentence(self) -> str:
        """Return what is wrong, where, and what to do next."""
        return ", ".join(str(argument) for argument in self.args)

    def __str__(self) -> str:
        return self._sentence()

    def __reduce__(self) -> tuple[Any, ...]:
        # The default passes `args` back to `__init__`, which here takes facts by keyword.
        return _restore, (type(self), self.__dict__)


def _did_you_mean(near: Sequence[str]) -> str:
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(name) for name in near)}?"


def _did_you_mean_inside(near: Sequence[str]) -> str:
    return f" (did you mean {' or '.join(repr(name) for name in near)}?)" if near else ""


class InvalidNameError(PromptStoreError, ValueError):
    """A string that cannot be a prompt's name.

    Attributes:
        name: The string that was given.
        reason: What is wrong with it.
    """

    def __init__(self, *, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    def _sentence(self) -> str:
        return (
            f"{self.name!r} is not a prompt name: {self.reason}. A name is segments of letters, "
            "digits, '_', '-' and '.', each starting with a letter, a digit or '_', joined by '/'."
        )


class InvalidArgumentError(PromptStoreError, ValueError):
    """A call whose arguments contradict each other or have no meaning.

    Attributes:
        message: The whole sentence.
    """

    def __init__(self, *, message: str) -> None:
        self.message = message

    def _sentence(self) -> str:
        return self.message


class NotFoundError(PromptStoreError, LookupError):
    """Something that was asked for is not there."""


class PromptNotFoundError(NotFoundError, KeyError):
    """There is no prompt of this name in what was read.

    Attributes:
        name: The name that was asked for.
        place: Where it was looked for, for example ``main (3f2a91c)``.
        near: Existing names that look alike, best first.
        note: What else a reader should know, or an empty string.
    """

    def __init__(self, *, name: str, place: str, near: Sequence[str] = (), note: str = "") -> None:
        self.name = name
        self.place = place
        self.near = tuple(near)
        self.note = note

    def _sentence(self) -> str:
        note = f" {self.note}" if self.note else ""
        hint = _did_you_mean(self.near) or " `promptstore list` shows the names."
        return f"There is no prompt {self.name!r} in {self.place}.{note}{hint}"


class PromptDeletedError(PromptNotFoundError):
    """The prompt is tombstoned: its file says ``deleted: true``.

    Attributes:
        name: The name that was asked for.
        place: Where it was looked for.
        deleted_at: When the tombstone was committed, as ISO 8601, or None where unknown.
        deleted_by: Who committed it, as ``name <email>``, or None where unknown.
        reason: The file's ``deleted_reason``, or None.
        replaced_by: The file's ``replaced_by``, or None.
    """

    def __init__(
        self,
        *,
        name: str,
        place: str,
        deleted_at: str | None = None,
        deleted_by: str | None = None,
        reason: str | None = None,
        replaced_by: str | None = None,
    ) -> None:
        super().__init__(name=name, place=place)
        self.deleted_at = deleted_at
        self.deleted_by = deleted_by
        self.reason = reason
        self.replaced_by = replaced_by

    def _sentence(self) -> str:
        when = f" on {self.deleted_at}" if self.deleted_at else ""
        who = f" by {self.deleted_by}" if self.deleted_by else ""
        why = f": {self.reason.rstrip('.')}" if self.reason else ""
        instead = f" Use {self.replaced_by!r} instead." if self.replaced_by else ""
        return (
            f"The prompt {self.name!r} was deleted{when}{who}{why}.{instead}"
            f" To read it, ask with deleted=True (`promptstore show {self.name}`) or for an "
            f"earlier version ({self.name}@1); `promptstore restore {self.name}` brings it back."
        )


class VersionNotFoundError(NotFoundError):
    """The prompt has no version of this number.

    Attributes:
        name: The prompt's name.
        version: The number that was asked for.
        latest: The highest number there is.
        removed: Whether this version removed the file, so that there is no text to read.
    """

    def __init__(self, *, name: str, version: int, latest: int, removed: bool = False) -> None:
        self.name = name
        self.version = version
        self.latest = latest
        self.removed = removed

    def _sentence(self) -> str:
        if self.removed:
            return (
                f"Version {self.version} of {self.name!r} removed the file, so it has no text. "
                f"Ask for version {self.version - 1} for the last one before."
            )
        versions = f"versions are 1 to {self.latest}" if self.latest > 1 else "only version is 1"
        return (
            f"{self.name!r} has no version {self.version}: its {versions}. "
            f"`promptstore log {self.name}` lists them."
        )


class RevisionNotFoundError(NotFoundError):
    """Git cannot resolve this rev to a commit.

    Attributes:
        rev: The rev that was asked for.
        reason: What git says, or an empty string.
        advice: What to do, as a sentence.
    """

    def __init__(
        self,
        *,
        rev: str,
        reason: str = "",
        advice: str = "Use a branch, a tag or a commit; a branch of a remote may need `git fetch` "
        "first.",
    ) -> None:
        self.rev = rev
        self.reason = reason
        self.advice = advice

    def _sentence(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"The rev {self.rev!r} names no commit in this repository{reason}. {self.advice}"


class LabelNotFoundError(NotFoundError):
    """The label does not exist, or does not point this prompt anywhere.

    Attributes:
        label: The label that was asked for.
        name: The prompt's name, or None where only the label was asked for.
        near: Labels that there are for the prompt (or at all).
        replaced_by: The name of the prompt to use instead, where this one was renamed or deleted.
    """

    def __init__(
        self,
        *,
        label: str,
        name: str | None = None,
        near: Sequence[str] = (),
        replaced_by: str | None = None,
    ) -> None:
        self.label = label
        self.name = name
        self.near = tuple(near)
        self.replaced_by = replaced_by

    def _sentence(self) -> str:
        listed = "`promptstore label list` lists them."
        there_are = f"There are: {', '.join(self.near)}. {listed}" if self.near else ""
        if self.name is None:
            none = "There are none; `promptstore label set NAME LABEL` sets one."
            return f"There is no label {self.label!r}. {there_are or none}"
        instead = f"The prompt is {self.replaced_by!r} now." if self.replaced_by else ""
        none = f"No label does. {listed[:-1]}, `promptstore label log` shows each move."
        return (
            f"The label {self.label!r} does not point {self.name!r} anywhere. "
            f"{instead or there_are or none}"
        )


class NotInBundleError(NotFoundError):
    """The bundle that is read was built without what is asked for.

    Attributes:
        path: The bundle's path.
        what: What it does not hold, in words.
        advice: What to do, as a sentence.
    """

    def __init__(self, *, path: str, what: str, advice: str) -> None:
        self.path = path
        self.what = what
        self.advice = advice

    def _sentence(self) -> str:
        return f"The bundle {self.path} does not hold {self.what}. {self.advice}"


class HistoryUnavailableError(PromptStoreError, LookupError):
    """Version numbers cannot be known here, so none is given rather than a wrong one.

    Attributes:
        reason: Why not, as a sentence, with what to do.
    """

    def __init__(self, *, reason: str) -> None:
        self.reason = reason

    def _sentence(self) -> str:
        return f"Versions cannot be counted here: {self.reason}"


class Problem(NamedTuple):
    """One fault of a prompt file, with its place.

    Attributes:
        line: The line in the file, from 1.
        column: The column in the line, from 1, in characters.
        code: A stable code such as ``PS107``.
        message: What is wrong and what to do, as a sentence.
    """

    line: int
    column: int
    code: str
    message: str


class PromptFileError(PromptStoreError, ValueError):
    """A prompt file that cannot be read, with all of its faults.

    Attributes:
        path: The file's path, for example ``prompts/support/triage.yaml``.
        problems: Every fault that was found, in the order of the file.
    """

    def __init__(self, *, path: str, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems))

    def _sentence(self) -> str:
        return "\n".join(
            f"{self.path}:{problem.line}:{problem.column}: {problem.code} {problem.message}"
            for problem in self.problems
        )


class TemplateError(PromptStoreError, ValueError):
    """A template that cannot be compiled or rendered."""


class TemplateSyntaxError(TemplateError):
    """A template that is not written as its language asks.

    Attributes:
        message: What is wrong and what to do, as a sentence.
        line: The line within the template, from 1.
        template: The prompt whose text it is, or None.
    """

    def __init__(self, *, message: str, line: int = 1, template: str | None = None) -> None:
        self.message = message
        self.line = line
        self.template = template

    def _sentence(self) -> str:
        where = f"{self.template}: " if self.template else ""
        return f"{where}line {self.line} of the template: {self.message}"


class IncludeError(TemplateError):
    """An include that cannot be followed.

    Attributes:
        target: The name that is included.
        chain: The names from the rendered prompt down to the one that includes `target`.
        reason: What is wrong, for example ``there is no such prompt``.
        code: The stable code that `check` reports for it.
        line: The line of the include within the template of the last name in `chain`.
    """

    def __init__(
        self, *, target: str, chain: Sequence[str], reason: str, code: str, line: int = 1
    ) -> None:
        self.target = target
        self.chain = tuple(chain)
        self.reason = reason
        self.code = code
        self.line = line

    def _sentence(self) -> str:
        path = " → ".join([*self.chain, self.target])
        return f"Cannot include {self.target!r}: {self.reason} ({path}, line {self.line})."


class VariableError(TemplateError):
    """The values given for a render do not fit the prompt's variables.

    Attributes:
        name: The prompt's name, or None.
        missing: Variables that need a value and got none.
        unknown: Values given for variables that the prompt does not have, with near names.
        invalid: Variables whose value is wrong, with the reason.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        missing: Sequence[str] = (),
        unknown: Mapping[str, Sequence[str]] | None = None,
        invalid: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.missing = tuple(missing)
        self.unknown = {key: tuple(near) for key, near in (unknown or {}).items()}
        self.invalid = dict(invalid or {})

    def _sentence(self) -> str:
        subject = f"The values for {self.name!r}" if self.name else "The values"
        faults = [f"{name!r} is missing" for name in self.missing]
        faults += [
            f"{name!r} is not a variable of it{_did_you_mean_inside(near)}"
            for name, near in self.unknown.items()
        ]
        faults += [f"{name!r} {reason}" for name, reason in self.invalid.items()]
        return f"{subject} do not fit: {'; '.join(faults)}."


class RenderError(TemplateError):
    """A template that failed while it was rendered.

    Attributes:
        message: What is wrong, as a sentence.
        line: The line within the template, from 1, or None where unknown.
        template: The prompt whose text it is, or None.
    """

    def __init__(
        self, *, message: str, line: int | None = None, template: str | None = None
    ) -> None:
        self.message = message
        self.line = line
        self.template = template

    def _sentence(self) -> str:
        where = f"{self.template}: " if self.template else ""
        line = f"line {self.line} of the template: " if self.line is not None else ""
        return f"{where}{line}{self.message}"


class LimitError(RenderError):
    """A render that was stopped because it grew past a limit of the store."""


class EventError(PromptStoreError, ValueError):
    """What was given is not an event that can be shown as text.

    Attributes:
        reason: What is wrong with it, as a sentence without a full stop.
        index: Its place in the list that was given, from 0, or None.
    """

    def __init__(self, *, reason: str, index: int | None = None) -> None:
        self.reason = reason
        self.index = index

    def _sentence(self) -> str:
        what = "This" if self.index is None else f"Item {self.index} of the list"
        return (
            f"{what} is not an event: {self.reason}. Give an object with 'event' and 'properties', "
            "a row with $ai_… columns, an object with 'trace' and 'hierarchy', or a list of events."
        )


class ProviderError(PromptStoreError, ValueError):
    """Something in a rendered prompt or its config that a vendor's API cannot take.

    Attributes:
        provider: The vendor's API as people call it.
        path: Where it stands, such as ``messages[1].content[0]`` or ``config.seed``.
        reason: Why it cannot be taken and what to do, as a sentence whose subject is the vendor.
    """

    def __init__(self, *, provider: str, path: str, reason: str) -> None:
        self.provider = provider
        self.path = path
        self.reason = reason

    def _sentence(self) -> str:
        return f"{self.path}: {self.provider} {self.reason}."


class ConflictError(PromptStoreError, RuntimeError):
    """A write that would lose work of somebody else; nothing was changed.

    Attributes:
        names: The prompts (or labels) that it is about, sorted.
        reason: What stands in the way and what to do, as a sentence without its subject.
    """

    def __init__(self, *, names: Sequence[str], reason: str) -> None:
        self.names = tuple(sorted(names))
        self.reason = reason

    def _sentence(self) -> str:
        return f"{', '.join(map(repr, self.names))}: {self.reason}"


class RepositoryError(PromptStoreError, OSError):
    """Git could not do what was asked.

    Attributes:
        path: The repository's path.
        reason: What is wrong and what to do, as a sentence.
    """

    def __init__(self, *, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason

    def _sentence(self) -> str:
        return f"{self.path}: {self.reason}"


class RepositoryNotFoundError(RepositoryError):
    """There is neither a git repository nor a folder of prompts at the path."""


class UnsupportedRepositoryError(RepositoryError):
    """A repository format that the git library underneath cannot read."""


class RepositoryLockedError(RepositoryError, TimeoutError):
    """Another process held a lock of the repository for longer than was waited; nothing changed.

    Attributes:
        path: The lock's path.
        reason: What was waited for and what to do, as a sentence.
    """


class FetchError(RepositoryError, ConnectionError):
    """A remote repository could not be reached, refused, or sent no whole answer."""


class BundleError(PromptStoreError, ValueError):
    """A file that is no whole bundle that this version can read, or prompts that make no good one.

    Attributes:
        path: The file's path, or where the prompts are.
        reason: What is wrong and what to do, as a sentence.
    """

    def __init__(self, *, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason

    def _sentence(self) -> str:
        return f"{self.path}: {self.reason}"


class ReadOnlyError(RepositoryError):
    """Nothing can be written here, for example because HEAD is on no branch."""


class ForgeError(PromptStoreError, OSError):
    """GitHub or GitLab did not do what was asked.

    Attributes:
        forge: Which of the two.
        address: The address of its API; the token is never part of it.
        reason: What it answered, or why it could not be asked.
    """

    def __init__(self, *, forge: str, address: str, reason: str) -> None:
        self.forge = forge
        self.address = address
        self.reason = reason

    def _sentence(self) -> str:
        return (
            f"{self.forge} at {self.address} {self.reason}. "
            "Look at the address, the token and what it may do."
        )


class RemoteError(PromptStoreError, OSError):
    """A remote prompts API did not do what was asked.

    Attributes:
        request: What was asked, as method and path, without host and key.
        detail: What is wrong: the server's own words, where it said any.
        status: The status of the answer, or None where there was no whole answer.
        code: The server's code for it, such as ``invalid_name``, or None.
        attr: The field that it is about, or None.
        retry_after: How long the server asks to wait, in seconds, or None.
        current_version: The newest version there, where a conflict tells it, or None.
        may_have_written: Whether a write may have happened although this error came.
    """

    _advice = ""

    def __init__(
        self,
        *,
        request: str,
        detail: str,
        status: int | None = None,
        code: str | None = None,
        attr: str | None = None,
        retry_after: float | None = None,
        current_version: int | None = None,
        may_have_written: bool = False,
    ) -> None:
        self.request = request
        self.detail = detail
        self.status = status
        self.code = code
        self.attr = attr
        self.retry_after = retry_after
        self.current_version = current_version
        self.may_have_written = may_have_written

    def _sentence(self) -> str:
        status = f" answered {self.status}" if self.status is not None else ""
        field = f"{self.attr}: " if self.attr else ""
        return f"{self.request}{status}: {field}{_as_sentence(self.detail)}{self._advice}"


class RemoteUnreachableError(RemoteError, ConnectionError):
    """No whole answer came: refused, reset, cut off or timed out."""

    _advice = " Check the host and the network, then run it again."


class RemoteAnswerError(RemoteError, ValueError):
    """An answer that this API does not give, such as a web page."""

    _advice = " Check that the host is the one of the API, not of a proxy or a login page."


class RemoteRejectedError(RemoteError, ValueError):
    """The server does not accept the request: a wrong value, an unknown method, a redirection."""


class RemoteKeyError(RemoteError, PermissionError):
    """The personal API key is missing, wrong or expired."""

    _advice = (
        " Give a personal API key (it starts with phx_), for example in the environment variable "
        "POSTHOG_PERSONAL_API_KEY."
    )


class RemotePermissionError(RemoteError, PermissionError):
    """The key may not do this."""

    _advice = (
        " Give the key the scope llm_prompt:read, and llm_prompt:write for pushing, and access to "
        "the project."
    )


class RemoteNotFoundError(RemoteError, LookupError):
    """There is no such thing on the remote; a busy server may say so too."""


class RemoteConflictError(RemoteError):
    """The remote's prompt changed meanwhile."""

    _advice = " Look at both sides again with `promptstore sync plan`."


class RemoteThrottledError(RemoteError):
    """The remote asks for fewer requests."""

    _advice = " Wait, then run it again: what is done is not done twice."


class RemoteServerError(RemoteError):
    """The remote failed by itself."""

    _advice = " Run it again later: what is done is not done twice."


class SyncRefusedError(PromptStoreError, ValueError):
    """A prompt that cannot be kept on the other side as it is.

    Attributes:
        name: The prompt's name.
        reason: Why, and what to do, as a sentence without its subject.
    """

    def __init__(self, *, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    def _sentence(self) -> str:
        return f"{self.name!r} cannot be synced: {self.reason}"


class MassDeletionError(PromptStoreError, RuntimeError):
    """A sync that would delete more than a third of the prompts; nothing was changed.

    Attributes:
        remote: The remote's name.
        names: The prompts that would be deleted, sorted.
        total: How many prompts both sides had after the last sync.
    """

    def __init__(self, *, remote: str, names: Sequence[str], total: int) -> None:
        self.remote = remote
        self.names = tuple(sorted(names))
        self.total = total

    def _sentence(self) -> str:
        first = ", ".join(self.names[:3]) + (", …" if len(self.names) > 3 else "")
        return (
            f"{len(self.names)} of {self.total} prompts would be deleted ({first}). Look with "
            f"`promptstore sync plan --remote {self.remote}`; if that is right, say "
            "--yes (confirmed=True)."
        )


def _as_sentence(text: str) -> str:
    stripped = text.strip() or "no reason was given"
    return stripped if stripped.endswith((".", "!", "?")) else f"{stripped}."


class ModelError(PromptStoreError, OSError):
    """A language model gave no whole answer.

    Attributes:
        model: Which model, and where it is.
        reason: What went wrong, without the text that it was asked about.
    """

    def __init__(self, *, model: str, reason: str) -> None:
        self.model = model
        self.reason = reason

    def _sentence(self) -> str:
        return f"The model {self.model} {self.reason}."


class LogStoreError(PromptStoreError, OSError):
    """Log entries cannot be kept or asked for.

    Attributes:
        place: The folder or the server that keeps them, without a password.
        reason: Why not, and what to do.
    """

    def __init__(self, *, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason

    def _sentence(self) -> str:
        return f"{self.place}: {_as_sentence(self.reason)}"


class LogStoreBusyError(LogStoreError):
    """More entries came than are written; to send them again later helps."""


class LogFormatError(PromptStoreError, ValueError):
    """Log entries that were sent can never be read.

    Attributes:
        reason: What is wrong with them.
    """

    def __init__(self, *, reason: str) -> None:
        self.reason = reason

    def _sentence(self) -> str:
        return _as_sentence(self.reason)


class LogsTooLargeError(LogFormatError):
    """More was sent at once than is taken."""


class ImportRefusedError(PromptStoreError, ValueError):
    """A source of another tool that cannot become a prompt and mean the same.

    Attributes:
        reason: What stands in the way.
        source: The source's path, where it is known.
    """

    def __init__(self, *, reason: str, source: str = "") -> None:
        self.reason = reason
        self.source = source

    def _sentence(self) -> str:
        place = f"{self.source}: " if self.source else ""
        return f"{place}{self.reason}. Nothing of it was imported; bring it over by hand."


class ExportRefusedError(PromptStoreError, ValueError):
    """A prompt that would mean something else in another format.

    Attributes:
        name: The prompt's name.
        format: The format.
        reason: What stands in the way.
    """

    def __init__(self, *, name: str, format: str, reason: str) -> None:  # noqa: A002
        self.name = name
        self.format = format
        self.reason = reason

    def _sentence(self) -> str:
        return (
            f"{self.name!r} cannot be exported to {self.format}: {self.reason}. "
            "Export it to another format, or change the prompt."
        )


class MissingExtraError(PromptStoreError, ImportError):
    """An optional part of promptstore is not installed.

    Attributes:
        extra: The extra that brings it, for example ``cli``.
        purpose: What was about to be done.
    """

    def __init__(self, *, extra: str, purpose: str) -> None:
        self.extra = extra
        self.purpose = purpose

    def _sentence(self) -> str:
        return f"{self.purpose} needs more: {install_command(self.extra)}"


def install_command(extra: str, origin: Mapping[str, Any] | None = None) -> str:
    """Return the command that adds an extra to promptstore, from where it was installed.

    Args:
        extra: The extra, for example ``cli``.
        origin: Where promptstore was installed from, as PEP 610 says it in ``direct_url.json``. The
            default asks the installed distribution.

    Returns:
        A command for the shell. Without an origin, promptstore came from a package index.
    """
    # Only an error needs these modules, and they would double the time of `import promptstore`.
    import shlex
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    origin = _read_origin() if origin is None else origin
    url = str(origin.get("url", ""))
    package = f"git-promptstore[{extra}]"
    if "dir_info" in origin:
        editable = "--editable " if origin["dir_info"].get("editable") else ""
        folder = url2pathname(urlsplit(url).path)
        return f"pip install {editable}{shlex.quote(f'{folder}[{extra}]')}"
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    return f"pip install {shlex.quote(f'{package} @ {url}' if url else package)}"


def _read_origin() -> Mapping[str, Any]:
    import json
    from importlib import metadata

    try:
        text = metadata.distribution("git-promptstore").read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # run from its sources
        return {}
    origin: dict[str, Any] = json.loads(text) if text else {}
    return origin
