"""The page on this machine: a server for one person, on loopback, that only reads.

The address is checked against a few patterns; ids are looked up among those that the dataset has, so no part of an
address becomes a path. A page of another origin can neither read nor embed what is served here, and a name that
somebody else lets point to 127.0.0.1 is refused (DNS rebinding).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.parquet import DAMAGED
from clear_gen.explore.library import LIVE, SITE_FILES, Library, about, picture, record, site_file
from clear_gen.explore.query import BadQuery, query_of
from clear_gen.explore.store import NotThere

ADDRESS = "127.0.0.1"
HOSTS = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)  # any port: it may be forwarded
RECORD = re.compile(r"/(records|audio|spectrograms)/([a-z0-9.-]{1,40})/([a-z0-9-]{1,40})\.(json|flac|png)")
LIST = re.compile(r"/lists/([a-z]{1,20})")
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "flac": "audio/flac",
    "png": "image/png",
    "svg": "image/svg+xml",
}
OF_KIND = {"records": "json", "audio": "flac", "spectrograms": "png"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Server(ThreadingHTTPServer):
    """Serves one dataset; ``port`` 0 is a free one. Raises InputError if the port is taken."""

    def __init__(self, library: Library, folder: Path, port: int) -> None:
        self.library = library
        self.about = about(library, folder)
        self.site = {f"/{name}": site_file(name, LIVE) for name in SITE_FILES}
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise InputError(f"--port: found {port}: {first_line(error)}; expected a free one") from None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up in the middle of a file is no error; anything else is one, on the terminal."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "clear-gen", ""
    timeout = 60
    disable_nagle_algorithm = True  # or every answer would wait for an acknowledgement, 40 ms
    server: Server

    def do_GET(self) -> None:
        with self._refusals():
            if not HOSTS.fullmatch(self.headers.get("Host", "")):
                raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "Host: expected 127.0.0.1 or localhost")
            path, _, query = self.path.partition("?")
            content, suffix = self._content(path, query)
            self._answer(content, TYPES[suffix])

    do_HEAD = do_GET

    def _not_allowed(self) -> None:
        self.close_connection = True  # its body is not read
        with self._refusals():
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{self.command}: expected GET or HEAD")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _not_allowed

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Answer errors with one line."""
        try:
            yield
        except _Refused as refused:
            self._fail(refused.status, str(refused))
        except NotThere as error:
            self._fail(HTTPStatus.NOT_FOUND, str(error))
        except BadQuery as error:
            self._fail(HTTPStatus.BAD_REQUEST, str(error))
        except ConnectionError:
            self.close_connection = True
        except (InputError, *DAMAGED) as error:
            self._fail(HTTPStatus.INTERNAL_SERVER_ERROR, first_line(error))

    def _content(self, path: str, query: str) -> tuple[bytes, str]:
        """The content at an address, and its suffix."""
        library = self.server.library
        page = "/index.html" if path == "/" else path
        if page in self.server.site:
            return self.server.site[page], page.rpartition(".")[2]
        if path == "/dataset.json":
            return _json(self.server.about), "json"
        if (listed := LIST.fullmatch(path)) and listed[1] in self.server.about["lists"]:
            given = parse_qs(query, keep_blank_values=True)
            return _json(library.rows(listed[1], query_of(given, self.server.about["filters"]))), "json"
        if (asked := RECORD.fullmatch(path)) and OF_KIND[asked[1]] == asked[4]:
            found = _of_record(library, asked[1], asked[2], asked[3])
            if found is not None:
                return found, asked[4]
        raise _Refused(HTTPStatus.NOT_FOUND, "found nothing at this address")

    def _answer(self, content: bytes, type_: str) -> None:
        """The whole, or the one range that was asked for (RFC 9110, section 14)."""
        status, total = HTTPStatus.OK, len(content)
        headers = {"Content-Type": type_, "Accept-Ranges": "bytes"}
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        if asked and (asked[1] or asked[2]):
            first = int(asked[1]) if asked[1] else max(0, total - int(asked[2]))
            last = min(int(asked[2]), total - 1) if asked[1] and asked[2] else total - 1
            if first > last:
                headers["Content-Range"] = f"bytes */{total}"
                return self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers, b"")
            status, content = HTTPStatus.PARTIAL_CONTENT, content[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{total}"
        return self._send(status, headers, content)

    def _fail(self, status: HTTPStatus, why: str) -> None:
        headers = {"Allow": "GET, HEAD"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        self._send(status, {**headers, "Content-Type": TYPES["json"]}, _json({"error": why}))

    def _send(self, status: HTTPStatus, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the terminal is reserved for errors."""


def _of_record(library: Library, kind: str, config: str, name: str) -> bytes | None:
    if kind == "records":
        return _json(record(library, config, name))
    return library.store.audio(config, name) if kind == "audio" else picture(library, config, name)


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()
