"""OpenTelemetry's own exporter, sending many entries to a server that listens."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.gitrepo import GitRepo

LINE = re.compile(r"serving on (http://[\d.]+:\d+) ")


@contextmanager
def serving(repo: GitRepo, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Serve with logs on a free port; give the process, its URL and what it said before."""
    command = [sys.executable, "-m", "promptstore", "serve", "--port", "0", "--no-auth"]
    with subprocess.Popen(
        [*command, "--logs", str(folder)], cwd=repo.path, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        try:
            for line in process.stderr:
                said.append(line)
                found = LINE.search(line)
                if found:
                    drain = threading.Thread(target=process.stderr.read)
                    drain.start()
                    yield process, found[1], said
                    break
            else:
                raise AssertionError("".join(said))
        finally:
            process.kill()
            drain.join()


def export_many(url: str, count: int, batch: int = 512) -> float:
    """Log so many records by Python's logging, and return the seconds until all are answered.

    Args:
        url: Where the server listens.
        count: How many records; each has ten attributes.
        batch: How many records the exporter puts into one request; its own default is 512.
    """
    exporter = OTLPLogExporter(
        f"{url}/v1/logs", headers={"authorization": "Bearer phc_project_1"}, timeout=60
    )
    provider = LoggerProvider(Resource.create({"service.name": "shop"}))
    processor = BatchLogRecordProcessor(exporter, max_queue_size=count, max_export_batch_size=batch)
    provider.add_log_record_processor(processor)
    logger = logging.getLogger("shop.many")
    logger.propagate = False
    handler = LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    started = time.perf_counter()
    try:
        for number in range(count):
            extra = {f"key.{one}": f"value {number % 97}" for one in range(10)}
            logger.warning("paid %d", number, extra=extra)
        provider.force_flush()
        return time.perf_counter() - started
    finally:
        logger.removeHandler(handler)
        provider.shutdown()


def bodies_at(url: str) -> list[str]:
    """List the bodies of all entries of a server, page by page."""
    found: list[str] = []
    query = {"limit": 1000, "dateRange": {"date_from": "-1d"}}
    while True:
        answer = httpx.post(f"{url}/api/projects/1/logs/query", json={"query": query}, timeout=60)
        page = answer.json()
        found += [row["body"] for row in page["results"]]
        if not page["hasMore"]:
            return found
        query["after"] = page["nextCursor"]
