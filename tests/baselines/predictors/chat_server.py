"""A chat endpoint on the loopback interface that takes ``input_audio``, and misbehaves as it is told."""

from __future__ import annotations

import base64
import json
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Asked:
    """One request: the ``number``-th from 0, in all and about the same prompt and audio (``attempt``)."""

    number: int
    attempt: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    prompt: str
    pcm: np.ndarray  # int16 [n]
    sample_rate: int


@dataclass(frozen=True)
class Answer:
    """What to send. ``body``: bytes, or what ``said`` makes of a text. ``drip_s``: seconds between the bytes, of the
    headers too. ``cut``: close the connection after so many bytes of the body. ``delay_s``: before anything is sent."""

    body: bytes | str = "yes"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0
    drip_s: float = 0
    cut: int | None = None


def said(content: Any) -> bytes:
    """A reply as chat endpoints give it."""
    message = {"role": "assistant", "content": content}
    return json.dumps({"object": "chat.completion", "choices": [{"index": 0, "message": message}]}).encode()


class Chat:
    """The server's side: its ``url``, what was ``asked``, and how many requests were there ``at_once`` at most."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.url = ""
        self.asked: list[Asked] = []
        self.at_once = 0
        self.errors: list[BaseException] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._now = 0

    def enter(self, path: str, headers: dict[str, str], data: bytes) -> Asked:
        """Note a request and check what it is."""
        body = json.loads(data)
        (message,) = body["messages"]
        audio, text = message["content"]
        assert (message["role"], audio["type"], text["type"]) == ("user", "input_audio", "text")
        assert audio["input_audio"]["format"] == "wav"
        wav = base64.b64decode(audio["input_audio"]["data"], validate=True)
        with wave.open(BytesIO(wav)) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            pcm, rate = np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
        with self._lock:
            same = [one for one in self.asked if one.prompt == text["text"] and np.array_equal(one.pcm, pcm)]
            asked = Asked(len(self.asked), len(same), path, headers, body, text["text"], pcm, rate)
            self.asked.append(asked)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        return asked

    def leave(self) -> None:
        """The request was answered."""
        with self._lock:
            self._now -= 1


@contextmanager
def chat_server(answer: Callable[[Asked], Answer] = lambda asked: Answer()) -> Iterator[Chat]:
    """A server that answers as ``answer`` says, each request in a thread. A wrong request fails the test."""
    chat = Chat(answer)

    class Handler(_Handler):
        pass

    Handler.chat = chat
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for them, and none writes into the next test
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield chat
    finally:
        chat.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert not chat.errors, chat.errors


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chat: Chat

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.chat.errors.append(AssertionError("a redirect was followed"))

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        data = self.rfile.read(length)
        if len(data) < length:  # the client was stopped
            return
        try:
            asked = self.chat.enter(self.path, dict(self.headers), data)
            answer = self.chat.answer(asked)
        except BaseException as error:
            self.chat.errors.append(error)
            raise
        self.chat.closing.wait(answer.delay_s)
        self.chat.leave()  # before the reply is out, or the next request could be here first
        try:
            self._send(answer)
        except OSError:  # it did not wait for us
            self.close_connection = True

    def _send(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else said(answer.body)
        lines = [f"HTTP/1.1 {answer.status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        everything = head + (body if answer.cut is None else body[: answer.cut])
        step = 1 if answer.drip_s else len(everything)
        for start in range(0, len(everything), step):
            self.wfile.write(everything[start : start + step])
            if self.chat.closing.wait(answer.drip_s):
                break
        self.close_connection = self.close_connection or answer.cut is not None
