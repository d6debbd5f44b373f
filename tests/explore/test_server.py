"""The server as a browser, or somebody hostile, speaks to it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from clear_gen.core.errors import InputError
from clear_gen.explore.library import LIVE, SITE, SITE_FILES, site_file
from clear_gen.explore.server import ADDRESS, Server
from tests.explore.conftest import HOSTILE, Get, getter

AUDIO = "/audio/scenes/train-000000.flac"


@pytest.mark.parametrize(
    "address",
    [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/audio/scenes/../../clear.json",
        "/audio/../scenes/train-000000.flac",
        "/audio/scenes/..%2ftrain-000000.flac",
        "/records/scenes/train-000000.json%00.flac",
        "/records/scenes/train-000000.flac",
        "/audio/scenes/train-000000.json",
        "/records/questions/train-000000.json",
        "/records/scenes/train-999999.json",
        "/records/scenes/train-0000000.json",
        "/records/scenes/train--00001.json",
        "/records/scenes/test-000000-0.json",
        "/records/scenes/train-999999999999.json",
        "/records/scenes/train-%D9%A0%D9%A000000.json",
        "/records/stems-snr0/fold1-000000.json",
        "/lists/records",
        "/lists/",
        "/lists/scenes/",
        "/static_source.js",
        "/clear.json",
        "/server.py",
        "/%2e%2e/server.py",
        "/" + "a" * 5000,
        "http://127.0.0.1/clear.json",
    ],
)
def test_nothing_but_the_dataset(get: Get, address: str) -> None:
    answer = get(address)
    assert answer.status == 404
    assert set(answer.json) == {"error"}
    assert "\n" not in answer.json["error"]


def test_a_request_that_is_none(heard: Path, serve: Callable[..., Server]) -> None:
    server = serve(heard)
    for sent in (b"\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 70_000 + b"\r\n\r\n"):
        with socket.create_connection((ADDRESS, server.server_address[1]), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert b"root:" not in connection.recv(1 << 16)
    assert getter(server)("/").status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "127.0.0.1:80@evil"])
def test_another_name_for_this_machine_is_refused(get: Get, host: str) -> None:
    answer = get("/dataset.json", Host=host)
    assert answer.status == 421
    assert b"heard" not in answer.body


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1"])
def test_a_forwarded_port_is_served(get: Get, host: str) -> None:
    assert get("/dataset.json", Host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_it_only_reads(get: Get, method: str) -> None:
    answer = get("/", method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_it_listens_on_loopback_only(heard: Path, serve: Callable[..., Server]) -> None:
    server = serve(heard)
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(InputError, match=f"--port: found {server.server_address[1]}: .*in use"):
        Server(server.library, heard, server.server_address[1])


def test_every_answer_says_what_it_may_do(get: Get) -> None:
    for address in ("/", "/app.js", "/dataset.json", AUDIO, "/nothing"):
        headers = get(address).headers
        policy = headers["content-security-policy"].split("; ")
        assert policy[:2] == ["default-src 'none'", "script-src 'self'"]
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_the_page_itself(get: Get) -> None:
    assert get("/").body == get("/index.html").body == (SITE / "index.html").read_bytes()
    for name in SITE_FILES:
        assert get(f"/{name}").body == site_file(name, LIVE)
    page = get("/").body.decode()
    assert "style=" not in page
    assert "https://" not in page
    for name in [path.name for path in SITE.iterdir()]:  # texts go into the page as texts
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
            assert forbidden not in (SITE / name).read_text(), name


def test_head_says_what_get_would(get: Get) -> None:
    for address in ("/", "/dataset.json", AUDIO):
        whole, head = get(address), get(address, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.body))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, None),
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=100-99999999", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_ranges(get: Get, asked: str, first: int, last: int | None) -> None:
    whole, part = get(AUDIO).body, get(AUDIO, Range=asked)
    assert part.status == 206
    assert part.body == whole[first : None if last is None else last + 1]
    start = first % len(whole)
    assert part.headers["content-range"] == f"bytes {start}-{start + len(part.body) - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=5-2", "bytes=-0"])
def test_ranges_beyond(get: Get, asked: str) -> None:
    answer = get(AUDIO, Range=asked)
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(get(AUDIO).body)}"


@pytest.mark.parametrize(
    "asked", ["bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=0-" + "9" * 30]
)
def test_ranges_that_are_none_are_passed_over(get: Get, asked: str) -> None:
    answer = get(AUDIO, Range=asked)
    assert (answer.status, answer.body) == (200, get(AUDIO).body)


def test_labels_are_data(mixed: Path, serve: Callable[..., Server]) -> None:
    get = getter(serve(mixed))
    assert HOSTILE in get("/dataset.json").json["filters"]["label"]
    assert get("/dataset.json").headers["content-type"].startswith("application/json")


def test_what_nobody_expected_is_said_on_the_terminal(
    heard: Path, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(heard)

    def broken(*_: object) -> None:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(server.library, "rows", broken)
    with pytest.raises(http.client.RemoteDisconnected):  # by then it is said
        getter(server)("/lists/scenes")
    assert "nobody expected this" in capsys.readouterr().err
