"""POST requests to a chat endpoint with limited retries, a total timeout per attempt, and cancellation at any time.

Every attempt has its own connection and runs as an asyncio task, which can be cancelled: httpx's timeouts are per read,
and a server that sends an occasional byte would never trigger them. Redirects are not followed, so that the key is not
sent elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import ssl
import threading
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.client import responses
from typing import Any

import httpx
import numpy as np

from baselines.predictors.endpoint_parameters import Parameters
from baselines.predictors.endpoint_reply import Malformed, Reply, filtered_reply, reply_in
from clear_gen.core.errors import InputError, first_line

PATH = "/chat/completions"
CONNECT_S = 10.0  # longest wait for a connection
BACKOFF_S = 0.5  # before the first retry; twice as long before each further one
MAX_BACKOFF_S = 30.0
MAX_RETRY_AFTER_S = 60.0  # upper limit: a server may request hours
MAX_REPLY_BYTES = 1 << 20
MAX_ERROR_BYTES = 2000
SHOWN_CHARACTERS = 200  # of a server's text quoted in a message
SECRET_CHARACTERS = 8  # a shorter key is a local server's placeholder, such as "EMPTY", and may be a word of an answer
AGAIN = {408, 409, 429}  # retried, like 5xx
REFUSED = {  # status -> advice; fatal for all requests
    401: "set the API key in the environment variable {variable}",
    403: "check the API key in the environment variable {variable}, and what it may do",
    404: "check the address and the name of the model",
    407: "give the proxy in HTTP_PROXY or HTTPS_PROXY its user and password, http://USER:PASSWORD@HOST:PORT",
}
REDIRECTED = "redirects are not followed; give the address that it leads to"
for name in ("httpx", "httpcore"):  # they log addresses and headers, which may hold a key
    logging.getLogger(name).setLevel(logging.WARNING)


class Failed(Exception):
    """A failed attempt. ``again``: whether to retry, after at least ``after_s`` seconds.

    ``rejected``: status and body of a response that finds fault with the request.
    """

    def __init__(
        self,
        message: str,
        again: bool,
        after_s: float = 0.0,
        is_fatal: bool = False,
        rejected: tuple[int, bytes] | None = None,
    ) -> None:
        super().__init__(message)
        self.again, self.after_s, self.is_fatal, self.rejected = again, after_s, is_fatal, rejected


def completions_url(url: str) -> httpx.URL:
    """The address to post to, from a base address or itself. Raises InputError if it is no address of http or https.

    >>> for url in ("http://localhost:8000/v1/", "https://host/v1/chat/completions", "https://host/gpt?version=1"):
    ...     print(completions_url(url))
    http://localhost:8000/v1/chat/completions
    https://host/v1/chat/completions
    https://host/gpt/chat/completions?version=1
    """
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError("endpoint: URL: found another kind of address, expected http://HOST/... or https://HOST/...")
    if parsed.userinfo:
        raise InputError("endpoint: URL: found a user or password in it; put the API key in the environment instead")
    path = parsed.path.rstrip("/")
    return parsed.copy_with(path=path if path.endswith(PATH) else path + PATH, fragment=None)


def address_of(url: str) -> str:
    """The address for messages: without the query, which may hold a key."""
    return str(completions_url(url).copy_with(query=None))


class Client:
    """Thread-safe client of one endpoint. ``retries``: attempts after the first; ``timeout_s``: of one attempt.

    Uses the proxies that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name. ``parameters``: part of every request.

    Raises InputError if the address, the key or a proxy cannot be used.
    """

    def __init__(self, url: str, api_key_variable: str, timeout_s: float, retries: int, parameters: Parameters) -> None:
        self.url = str(completions_url(url))
        self._address = address_of(url)
        self._variable, self._key = api_key_variable, _api_key(api_key_variable)
        self._timeout_s, self._retries, self._parameters = timeout_s, retries, parameters
        self._tls = ssl.create_default_context()
        _check_proxies(self._tls)
        self._lock = threading.Lock()
        self._is_stopped = False
        self._tasks: set[asyncio.Task[Any]] = set()  # one per request in flight

    def stop(self) -> None:
        """Cancel all attempts and waits; later requests fail immediately."""
        with self._lock:
            self._is_stopped = True
            for task in self._tasks:
                task.get_loop().call_soon_threadsafe(task.cancel)

    def complete(self, body: dict[str, Any], rng: np.random.Generator) -> Reply:
        """The reply to ``body``, to which the parameters are added. ``rng`` spreads the retries in time."""
        try:
            return asyncio.run(self._complete(body, rng))
        except asyncio.CancelledError:
            return Reply(None, error="stopped")

    async def _complete(self, body: dict[str, Any], rng: np.random.Generator) -> Reply:
        task = asyncio.current_task()
        assert task is not None
        with self._lock:
            if self._is_stopped:
                raise asyncio.CancelledError
            self._tasks.add(task)
        try:
            return await self._attempts(body, rng)
        finally:
            with self._lock:
                self._tasks.discard(task)

    async def _attempts(self, body: dict[str, Any], rng: np.random.Generator) -> Reply:
        attempt = 0
        while True:
            sent = self._parameters.sent()
            try:
                return await self._attempt(json.dumps({**body, **sent}).encode())
            except Failed as failed:
                if failed.rejected is not None and self._parameters.adapt(sent, *failed.rejected):
                    continue  # ends: every time, there is one parameter less to find fault with
                if not failed.again or attempt == self._retries:
                    message = f"{failed}, in attempt {attempt + 1}" if attempt else str(failed)
                    return Reply(None, error=message, is_fatal=failed.is_fatal)
                backoff_s = min(MAX_BACKOFF_S, BACKOFF_S * 2**attempt) * rng.uniform(0.5, 1)
                await asyncio.sleep(max(backoff_s, min(failed.after_s, MAX_RETRY_AFTER_S)))
            attempt += 1

    async def _attempt(self, data: bytes) -> Reply:
        try:
            async with asyncio.timeout(self._timeout_s):
                status, retry_after, body = await self._exchange(data)
        except TimeoutError:
            raise Failed(f"no reply within {self._timeout_s:g} s", again=True) from None
        except httpx.TransportError as error:
            raise Failed(_shown(self._without_key(_cause(error).encode())), again=True) from None
        body = self._without_key(body)
        if 200 <= status < 300:
            return _reply(body)
        if filtered := filtered_reply(body):
            return filtered
        found = f"status {status} {responses.get(status, '')}".strip()
        if status in REFUSED or 300 <= status < 400:
            advice = REFUSED.get(status, REDIRECTED).format(variable=self._variable)
            raise Failed(f"{self._address}: {found}: {advice}", again=False, is_fatal=True)
        again = status in AGAIN or status >= 500
        raise Failed(f"{found}: {_shown(body)}", again, _seconds(retry_after), rejected=(status, body))

    async def _exchange(self, data: bytes) -> tuple[int, str, bytes]:
        """Send ``data``; the status, the header Retry-After and the start of the body of what comes back."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        headers |= {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Timeout(None, connect=CONNECT_S)
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=True, timeout=limits) as client,
            client.stream("POST", self.url, content=data, headers=headers) as response,
        ):
            body = b""
            try:
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > MAX_REPLY_BYTES:
                        break
            except httpx.TransportError:
                if response.is_success:  # of an error, what there is
                    raise
        return response.status_code, response.headers.get("Retry-After", ""), body

    def _without_key(self, data: bytes) -> bytes:
        """Redact the key, which some servers echo, perhaps escaped, from a response body."""
        if len(self._key) < SECRET_CHARACTERS:
            return data
        return re.sub(rb"\\?".join(re.escape(letter).encode() for letter in self._key), b"[key]", data)


def _reply(data: bytes) -> Reply:
    """The reply in the body of a response. Raises Failed if it is malformed."""
    if len(data) > MAX_REPLY_BYTES:
        raise Failed(f"malformed reply: found more than {MAX_REPLY_BYTES:,} bytes", again=True)
    try:
        return reply_in(data)
    except Malformed as error:
        raise Failed(f"malformed reply: {error}: {_shown(data)}", again=True) from None


def _check_proxies(tls: ssl.SSLContext) -> None:
    """Raise InputError if httpx cannot use a proxy that the environment names; no message shows its password."""
    try:
        httpx.AsyncClient(verify=tls, trust_env=True)
    except ImportError:
        raise InputError(
            "ALL_PROXY: found a SOCKS proxy, expected http://HOST:PORT (or install httpx[socks])"
        ) from None
    except (ValueError, httpx.InvalidURL):
        raise InputError(
            "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY: found no address of a proxy, expected http://HOST:PORT"
        ) from None


def _seconds(retry_after: str) -> float:
    """Seconds requested by a Retry-After header (seconds or a date); 0 if missing or invalid."""
    if retry_after.isdecimal():
        return float(retry_after)
    with suppress(ValueError, OverflowError):
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    return 0.0


def _cause(error: BaseException) -> str:
    """The underlying system error: httpx only reports that all connection attempts failed."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return os.strerror(error.errno) if isinstance(error, ConnectionError) and error.errno else first_line(error)


def _api_key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"{variable}: found characters that no HTTP header can hold, expected an API key")
    return key


def _shown(data: bytes) -> str:
    """A server's text, shortened and safe for one terminal line."""
    text = " ".join(data.decode("utf-8", "replace").split())
    text = "".join(character for character in text if character.isprintable())
    return f"{text[:SHOWN_CHARACTERS]}…" if len(text) > SHOWN_CHARACTERS else text
