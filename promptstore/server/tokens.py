"""Keys of the API: who has one and what it may do. Only hashes of keys are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptstore.errors import InvalidArgumentError, RepositoryError
from promptstore.git.commits import parse_signature
from promptstore.git.writing import Deadline, exclusive

Scope: TypeAlias = Literal[
    "llm_prompt:read",
    "llm_prompt:write",
    "llm_analytics:write",
    "logs:read",
    "logs:write",
]
"""What a key may do."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_PREFIX: Final = "phx_"
"""The SDKs expect a personal key to begin like this."""

_LOCK_SECONDS: Final = 10.0


class Token(BaseModel):
    """What is known of a key.

    Attributes:
        id: A short id to name it by.
        digest: The SHA-256 of the key. A key is 32 random bytes, so nobody can guess it from this.
        user: Whose it is, as ``Name <email>``: the author of what is written with it.
        scopes: What it may do, of `SCOPES`.
        projects: The ids of the projects that it may see; the first is its current one.
        created_at: When it was made, as ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    user: str
    scopes: tuple[Scope, ...] = Field(min_length=1)
    projects: tuple[int, ...] = Field(min_length=1)
    created_at: str

    def may(self, scope: str) -> bool:
        """Return whether it has a scope; one to write is one to read, too."""
        return scope in self.scopes or scope.replace(":read", ":write") in self.scopes


class _Tokens(BaseModel):
    tokens: tuple[Token, ...]


class TokenFile:
    """The tokens in a file, which is read again whenever it changed.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, ...] | None, tuple[Token, ...]] = (None, ())

    def tokens(self) -> tuple[Token, ...]:
        """List the tokens, oldest first.

        Raises:
            RepositoryError: The file cannot be read, or is none of tokens.
        """
        mark = self._mark()
        if mark != self._seen[0]:
            self._seen = (mark, _read(self.path))
        return self._seen[1]

    def find(self, key: str) -> Token | None:
        """Find the token of a key, in a time that does not depend on which one it is."""
        wanted = _digest(key)
        found = None
        for token in self.tokens():
            if hmac.compare_digest(token.digest, wanted):
                found = token
        return found

    def create(
        self, user: str, scopes: Sequence[str], projects: Sequence[int]
    ) -> tuple[Token, str]:
        """Make a key.

        Args:
            user: Whose it is, as ``Name <email>``.
            scopes: What it may do.
            projects: The ids of the projects that it may see, the current one first.

        Returns:
            The token and the key itself, which is known at this moment only.

        Raises:
            InvalidArgumentError: The user is not written like that, or a scope is none.
            RepositoryError: The file cannot be written, or is none of tokens.
        """
        parse_signature(user)
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes or not projects:
            raise InvalidArgumentError(
                message=f"a token needs a project and scopes of {', '.join(SCOPES)}"
                + (f"; there is no {', '.join(unknown)}" if unknown else "")
            )
        key = _PREFIX + secrets.token_urlsafe(32)
        token = Token(
            id=secrets.token_hex(4),
            digest=_digest(key),
            user=user.strip(),
            scopes=tuple(scope for scope in SCOPES if scope in scopes),
            projects=tuple(dict.fromkeys(projects)),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._change(lambda tokens: (*tokens, token))
        return token, key

    def revoke(self, token_id: str) -> Token:
        """Take a token away; its key is refused from the next request on.

        Raises:
            InvalidArgumentError: There is no such token.
            RepositoryError: The file cannot be written, or is none of tokens.
        """
        gone = next((token for token in self.tokens() if token.id == token_id), None)
        if gone is None:
            raise InvalidArgumentError(
                message=f"there is no token {token_id!r}; `promptstore token list` shows them"
            )
        self._change(lambda tokens: tuple(token for token in tokens if token.id != token_id))
        return gone

    def _mark(self) -> tuple[int, ...] | None:
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.path, error) from error
        return (state.st_mtime_ns, state.st_size, state.st_ino)

    def _change(self, change: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with exclusive(folder / f"{self.path.name}.lock", Deadline(_LOCK_SECONDS)):
                _write(self.path, change(_read(self.path)))
        except RepositoryError:
            raise
        except OSError as error:
            raise _unusable(self.path, error) from error


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> tuple[Token, ...]:
    try:
        return _Tokens.model_validate_json(path.read_bytes()).tokens
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unusable(path, error) from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        reason = f"this is no file of tokens ({where}: {fault['msg']}). Name another one."
        raise RepositoryError(path=str(path), reason=reason) from None


def _unusable(path: Path, error: OSError) -> RepositoryError:
    return RepositoryError(path=str(path), reason=f"{error.strerror}.")


def _write(path: Path, tokens: Sequence[Token]) -> None:
    """Replace the file as a whole; nobody but its owner may read it."""
    text = _Tokens(tokens=tuple(tokens)).model_dump_json(indent=2) + "\n"
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
