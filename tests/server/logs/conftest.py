from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from promptstore.server.asking import HttpModel
from promptstore.server.logs.writer import LogService
from tests.gitrepo import GitRepo
from tests.server.chatstub import ChatStub, chat_stub
from tests.server.listening import Host, Server, hosting
from tests.server.logs.sending import Logs


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogService]:
    """What keeps logs: one for all tests, as the embedded engine has one folder in a process."""
    service = LogService(str(tmp_path_factory.mktemp("logs") / "store"))
    yield service
    service.close()


@pytest.fixture(scope="session")
def stub() -> Iterator[ChatStub]:
    with chat_stub() as stub:
        yield stub


@pytest.fixture(scope="session")
def host(
    tmp_path_factory: pytest.TempPathFactory, service: LogService, stub: ChatStub
) -> Iterator[Host]:
    """A server that keeps logs; each test has a project of its own on it."""
    tokens = tmp_path_factory.mktemp("logs_host") / "tokens.json"
    model = HttpModel(stub.url, "tiny")
    with hosting(tokens, model=model, log_service=service) as host:
        yield host


@pytest.fixture
def log_server(host: Host, repo: GitRepo) -> Iterator[Server]:
    with host.project(repo.path) as server:
        yield server


@pytest.fixture
def logs(log_server: Server) -> Iterator[Logs]:
    """A client of a project without logs."""
    with log_server.client() as client:
        client.base_url = httpx.URL(f"{log_server.url}/api/environments/@current/logs/")
        yield Logs(client, log_server)
