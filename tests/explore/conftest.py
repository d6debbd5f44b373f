"""Small datasets to look at, each made once, and a server for each."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clear_gen.explore.library import open_library
from clear_gen.explore.server import Server
from tests.datasets.runs import make_scenes
from tests.mixtures.data import LABELS, make, small_settings, write_corpus
from tests.once import made_once

HOSTILE = "<img src=x onerror=alert(1)>"
N = 150  # two chunks of training scenes


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Get = Callable[..., Answer]


@pytest.fixture(scope="session")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes with audio and questions."""
    make = partial(make_scenes, asked=True)
    return made_once(tmp_path_factory, "explore-heard", lambda folder: make(folder, "--n", str(N))) / "data"


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes without audio, of which nothing is asked."""
    make = partial(make_scenes, audio=False)
    return made_once(tmp_path_factory, "explore-graphs", lambda folder: make(folder, "--n", "12")) / "data"


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mixtures at two SNRs, of labels one of which is HTML."""

    def make_all(folder: Path) -> None:
        write_corpus(folder / "corpus")
        (folder / "corpus/events" / LABELS[0]).rename(folder / "corpus/events" / HOSTILE)
        make(folder / "data", folder / "corpus", small_settings(20, stems=False, n_events={"choose": [0, 1, 2]}))

    return made_once(tmp_path_factory, "explore-mixed", make_all) / "data"


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Server]]:
    """Serves a dataset on a free port until the tests have ended."""
    servers = []

    def begin(folder: Path, predictions: Path | None = None) -> Server:
        server = Server(open_library(folder, predictions), folder, 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def getter(server: Server) -> Get:
    """A function that asks a server: address, method, headers."""

    def get(address: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)  # type: ignore[arg-type]
        connection.putrequest(method, address, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        found = connection.getresponse()
        answer = Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        connection.close()
        return answer

    return get


@pytest.fixture(scope="session")
def get(heard: Path, serve: Callable[..., Server]) -> Get:
    """Asks the server of the scenes with audio."""
    return getter(serve(heard))


def listed(get: Get, address: str) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    first = get(address).json
    sign = "&" if "?" in address else "?"
    pages = [get(f"{address}{sign}page={page}").json for page in range(2, first["pages"] + 1)]
    rows = [row for page in (first, *pages) for row in page["rows"]]
    assert {page["total"] for page in (first, *pages)} == {len(rows)}
    return rows
