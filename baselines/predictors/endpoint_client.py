"""One POST to a chat endpoint, tried a bounded number of times, each within a total time, and stoppable at any moment.

Every attempt has a connection of its own. A timer shuts its socket down when the time is up: the usual timeouts are per
read, and a server that sends a byte now and then would never meet them. Redirects are not followed, lest the key goes
elsewhere.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Url, parse_url

from clear_gen.core.errors import InputError, first_line

PATH = "/chat/completions"
CONNECT_S = 10.0  # longest wait for a connection, which nothing can cut short
BACKOFF_S = 0.5  # before the first retry; twice as long before each further one
MAX_BACKOFF_S = 30.0
MAX_RETRY_AFTER_S = 60.0  # a server may ask for hours
MAX_REPLY_BYTES = 1 << 20
MAX_ERROR_BYTES = 2000
SHOWN_CHARACTERS = 200  # of what a server says, in a message
SECRET_CHARACTERS = 8  # a shorter key is a local server's placeholder, such as "EMPTY", and may be a word of an answer
AGAIN = {408, 409, 429}  # and 5xx: worth another attempt
REFUSED = {  # status: what to do. No question will ever be answered.
    401: "set the API key in the environment variable {variable}",
    403: "check the API key in the environment variable {variable}, and what it may do",
    404: "check the address and the name of the model",
}
REDIRECTED = "redirects are not followed; give the address that it leads to"
TRANSPORT = (OSError, http.client.HTTPException, HTTPError)  # what a connection can raise


@dataclass(frozen=True)
class Reply:
    """What came of a question: the model's text, or an error. ``is_refusal``: no other question will fare better."""

    text: str | None
    error: str | None = None
    is_refusal: bool = False


class Failed(Exception):
    """An attempt without an answer. ``again``: another may have one, after at least ``after_s`` seconds."""

    def __init__(self, message: str, again: bool, after_s: float = 0.0, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.again, self.after_s, self.is_refusal = again, after_s, is_refusal


def completions_url(url: str) -> Url:
    """The address to post to, from a base address or itself. Raises InputError if it is no address of http or https.

    >>> for url in ("http://localhost:8000/v1/", "https://host/v1/chat/completions", "https://host/gpt?version=1"):
    ...     print(completions_url(url))
    http://localhost:8000/v1/chat/completions
    https://host/v1/chat/completions
    https://host/gpt/chat/completions?version=1
    """
    try:
        parsed = parse_url(url.strip())
    except LocationParseError:
        parsed = Url()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError("endpoint: URL: found another kind of address, expected http://HOST/... or https://HOST/...")
    if parsed.auth is not None:
        raise InputError("endpoint: URL: found a user or password in it; put the API key in the environment instead")
    path = (parsed.path or "").rstrip("/")
    return parsed._replace(path=path if path.endswith(PATH) else path + PATH, fragment=None)


def address_of(url: str) -> str:
    """The address for messages: without the query, which may hold a key."""
    return completions_url(url)._replace(query=None).url


class Client:
    """Asks one endpoint, from any number of threads. ``retries``: further attempts; ``timeout_s``: of one attempt.

    Raises InputError if the address or the key cannot be used.
    """

    def __init__(self, url: str, api_key_variable: str, timeout_s: float, retries: int) -> None:
        self._target = completions_url(url)
        self.url = self._target.url
        self._address = address_of(url)
        self._variable, self._key = api_key_variable, _api_key(api_key_variable)
        self._timeout_s, self._retries = timeout_s, retries
        self._tls = ssl.create_default_context() if self._target.scheme == "https" else None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def stop(self) -> None:
        """End every attempt and every wait; what is asked from now on fails at once."""
        self._stopped.set()
        with self._lock:
            for sock in self._open:
                _shut(sock)

    def complete(self, body: dict[str, Any], rng: np.random.Generator) -> Reply:
        """The text of the reply to ``body``. ``rng`` spreads the retries in time."""
        data = json.dumps(body).encode()
        for attempt in range(1 + self._retries):
            try:
                return Reply(self._attempt(data))
            except Failed as failed:
                message = f"{failed}, in attempt {attempt + 1}" if attempt else str(failed)
                reply = Reply(None, message, failed.is_refusal)
                if not failed.again or attempt == self._retries:
                    break
                backoff_s = min(MAX_BACKOFF_S, BACKOFF_S * 2**attempt) * rng.uniform(0.5, 1)
                if self._stopped.wait(max(backoff_s, min(failed.after_s, MAX_RETRY_AFTER_S))):
                    break
        return reply

    def _attempt(self, data: bytes) -> str:
        status, retry_after, found = self._exchange(data)
        if 200 <= status < 300:
            return content_of(found)
        said = f"status {status} {http.client.responses.get(status, '')}".strip()
        if status in REFUSED or 300 <= status < 400:
            advice = REFUSED.get(status, REDIRECTED).format(variable=self._variable)
            raise Failed(f"{self._address}: {said}: {advice}", again=False, is_refusal=True)
        after_s = _seconds(retry_after)
        raise Failed(f"{said}: {_shown(found)}", again=status in AGAIN or status >= 500, after_s=after_s)

    def _exchange(self, data: bytes) -> tuple[int, str | None, bytes]:
        """Send ``data``; the status, the header Retry-After and the body of what comes back."""
        deadline = time.monotonic() + self._timeout_s
        connection = self._connection()
        try:
            connection.connect()
            assert connection.sock is not None
            connection.timeout = max(0.001, deadline - time.monotonic())
            with self._cut_after(connection.timeout, connection.sock):
                connection.request("POST", self._target.request_uri, data, self._headers(), preload_content=False)
                with closing(connection.getresponse()) as response:
                    found = self._without_key(_body(response))
            if response.status < 300 and time.monotonic() >= deadline:  # a body without a length ends anywhere
                raise TimeoutError
            return response.status, response.headers.get("Retry-After"), found
        except TRANSPORT as error:
            said = _shown(self._without_key(first_line(error).encode()))
            late = time.monotonic() >= deadline
            raise Failed(f"no reply within {self._timeout_s:g} s" if late else said, again=True) from None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        assert self._target.host is not None
        host, timeout_s = self._target.host.strip("[]"), min(CONNECT_S, self._timeout_s)
        if self._tls is None:
            return HTTPConnection(host, self._target.port, timeout=timeout_s)
        return HTTPSConnection(host, self._target.port, timeout=timeout_s, ssl_context=self._tls)

    def _headers(self) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close", **key}

    @contextmanager
    def _cut_after(self, seconds: float, sock: socket.socket) -> Iterator[None]:
        """Shut ``sock`` down after so long, or when everything is stopped."""
        timer = threading.Timer(seconds, _shut, [sock])
        timer.daemon = True
        with self._lock:
            self._open.add(sock)
        if self._stopped.is_set():
            _shut(sock)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._open.discard(sock)

    def _without_key(self, data: bytes) -> bytes:
        """A body without the key, which some servers repeat, perhaps escaped."""
        if len(self._key) < SECRET_CHARACTERS:
            return data
        return re.sub(rb"\\?".join(re.escape(letter).encode() for letter in self._key), b"[key]", data)


def content_of(data: bytes) -> str:
    """The text of the first choice of a reply, which may come in parts.

    >>> content_of(b'{"choices": [{"message": {"content": [{"type": "text", "text": "A#"}]}}]}')
    'A#'
    """
    if len(data) > MAX_REPLY_BYTES:
        raise Failed(f"malformed reply: found more than {MAX_REPLY_BYTES:,} bytes", again=True)
    try:
        content = json.loads(data)["choices"][0]["message"]["content"]
        if isinstance(content, list):
            content = "".join(part["text"] for part in content if part["type"] == "text") or None
    except (ValueError, RecursionError, LookupError, TypeError):
        content = None
    if not isinstance(content, str):
        raise Failed(f"malformed reply: found no text in choices[0].message.content: {_shown(data)}", again=True)
    return content


def _body(response: BaseHTTPResponse) -> bytes:
    """What is needed of a response's body; of an error, what there is."""
    if response.status < 300:
        return response.read(MAX_REPLY_BYTES + 1, decode_content=False)
    with suppress(*TRANSPORT):
        return response.read(MAX_ERROR_BYTES, decode_content=False)
    return b""


def _seconds(retry_after: str | None) -> float:
    """What a Retry-After header asks for, in seconds or as a date; 0 if nothing, or nothing that makes sense."""
    try:
        return Retry().parse_retry_after(retry_after) if retry_after else 0.0
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0


def _api_key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"{variable}: found characters that no HTTP header can hold, expected an API key")
    return key


def _shut(sock: socket.socket) -> None:
    """End what another thread reads or writes; under TLS too, whose own ``shutdown`` would wait for the other side."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _shown(data: bytes) -> str:
    """What a server said, for one line of a terminal."""
    text = " ".join(data.decode("utf-8", "replace").split())
    text = "".join(character for character in text if character.isprintable())
    return f"{text[:SHOWN_CHARACTERS]}…" if len(text) > SHOWN_CHARACTERS else text
