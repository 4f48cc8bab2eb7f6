"""Prompts that are written in source code: found, and proposed as files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptstore.errors import ImportRefusedError, InvalidArgumentError
from promptstore.interchange.imported import Draft, Imported, single, spell_name, with_unique_names
from promptstore.interchange.scanners.common import Found
from promptstore.interchange.scanners.python import scan_python
from promptstore.interchange.scanners.typescript import scan_typescript
from promptstore.interchange.templates.flat import choose_kind, write_flat

_SCANNERS: Final = {
    ".py": scan_python, ".ts": scan_typescript, ".tsx": scan_typescript, ".js": scan_typescript,
    ".jsx": scan_typescript, ".mjs": scan_typescript, ".mts": scan_typescript,
}  # fmt: skip
_SKIPPED: Final = {"node_modules", "__pycache__", "dist", "build", "venv", "site-packages"}
_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Proposal:
    """A prompt in source code.

    Attributes:
        path: The file that it stands in, from the folder that was scanned.
        line: The line where it begins.
        imported: The prompt as one of ours, or None where only the place is known.
        call: What to write there instead.
        note: What a person has to look at.
    """

    path: str
    line: int
    imported: Imported | None
    call: str
    note: str = ""


def scan(path: Path) -> list[Proposal]:
    """Find the prompts in the source code of a file or folder.

    Args:
        path: The file or folder.

    Returns:
        The proposals in the order of the files, each prompt with a name of its own.

    Raises:
        InvalidArgumentError: There is no such file.
    """
    if not path.exists():
        raise InvalidArgumentError(message=f"cannot scan {path}: there is no such file or folder")
    found = [(file, one) for file, title in _files(path) for one in _scan_file(file, title)]
    made = [(one, _imported(one)) for _, one in found]
    named = iter(with_unique_names(prompt for _, prompt in made if prompt is not None))
    return [_proposal(one, next(named) if prompt is not None else None) for one, prompt in made]


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, path.name
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if file.suffix in _SCANNERS and file.is_file() and not file.is_symlink():
                yield file, file.relative_to(path).as_posix()


def _scan_file(file: Path, title: str) -> Iterable[Found]:
    if file.stat().st_size > _MAX_BYTES:
        return []
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return []
    return _SCANNERS[file.suffix](text.replace("\r\n", "\n"), title)


def _imported(found: Found) -> Imported | None:
    if not found.messages:
        return None
    stem = re.sub(r"\.\w+$", "", found.path)
    draft = Draft(spell_name(f"{stem}/{found.name}"), "scan")
    draft.template = kind = choose_kind(pieces for _, pieces in found.messages)
    for role, pieces in found.messages:
        text = write_flat(pieces, kind)
        if role is None:
            draft.prompt = text
        else:
            draft.say(role, text)
    try:
        return single(draft)
    except ImportRefusedError:
        return None


def _proposal(found: Found, imported: Imported | None) -> Proposal:
    note = found.note
    if imported is None:
        return Proposal(
            found.path, found.line, None, found.call, note or "not a string that is known"
        )
    values = "".join(f", {variable}={source}" for variable, source in found.values.items())
    if found.language == "python":
        field = "messages" if imported.prompt.is_chat else "text"
        call = f'store.render("{imported.name}"{values}).{field}'
    else:
        given = ", ".join(
            variable if variable == source else f"{variable}: {source}"
            for variable, source in found.values.items()
        )
        call = f'await prompts.get("{imported.name}")' + (
            f", then fill {{{given}}}" if given else ""
        )
    return Proposal(found.path, found.line, imported, call, note)
