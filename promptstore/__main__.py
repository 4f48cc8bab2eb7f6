"""The entry point of the command line: ``promptstore`` and ``python -m promptstore``."""

from __future__ import annotations

import sys

from promptstore import __version__


def main() -> None:
    """Run the command line.

    The exit code is 0 when all went well, 1 for an error of promptstore's own or a failed check, 2
    for a call that is not understood, and 130 when interrupted. Any other error keeps its
    traceback.
    """
    if sys.argv[1:] == ["--version"]:
        # Answered here, since loading the commands takes longer than everything else about it.
        print(f"promptstore {__version__}")  # noqa: T201
        return
    _run()


def _run() -> None:
    import os

    from promptstore.errors import PromptStoreError

    try:
        _dispatch()
    except PromptStoreError as error:
        from promptstore.cli.output import print_error

        for line in (f"error: {error}", *getattr(error, "__notes__", ())):
            print_error(line)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _dispatch() -> None:
    from importlib.util import find_spec

    from promptstore.errors import MissingExtraError

    if find_spec("typer") is None or find_spec("rich") is None:
        raise MissingExtraError(extra="cli", purpose="The command line")
    from promptstore.cli.app import app

    app()


if __name__ == "__main__":
    main()
