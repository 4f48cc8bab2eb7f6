"""``python -m tests.benchmarks``: everything measured beside what one would pick instead.

The rivals are those that are installed: ``pip install -e '.[bench]'`` has them all.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks import anywhere, get, index, listing, memory, render, startup, write
from tests.benchmarks.chart import draw
from tests.benchmarks.harness import Report
from tests.benchmarks.places import Places

SUBJECTS: Mapping[str, Callable[[Report, Places], None]] = {
    "get": get.run,
    "render": render.run,
    "startup": startup.run,
    "listing": listing.run,
    "index": index.run,
    "write": write.run,
    "memory": memory.run,
    "anywhere": anywhere.run,
}


def main() -> None:
    """Run the benchmarks that are asked for."""
    arguments = _arguments()
    # Nothing of the person who runs it shall count.
    os.environ.update({"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"})
    report = Report(quick=arguments.quick)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder), quick=arguments.quick)
        for subject in arguments.subjects or SUBJECTS:
            SUBJECTS[subject](report, places)
    print(f"\n{report.table()}")
    if arguments.json:
        arguments.json.write_text(report.as_json(), encoding="utf-8")
    if arguments.picture and report.points:
        arguments.picture.write_text(draw(report.points), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description="Measure promptstore and its rivals."
    )
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="small repositories, few turns")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw time against size (SVG)")
    arguments = parser.parse_args()
    unknown = [subject for subject in arguments.subjects if subject not in SUBJECTS]
    if unknown:
        parser.error(f"there is no subject {unknown[0]!r}; there are {', '.join(SUBJECTS)}")
    return arguments


if __name__ == "__main__":
    main()
