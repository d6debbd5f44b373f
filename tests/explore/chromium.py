"""A headless Chromium, driven through its debugging pipe: JSON messages that end with a zero byte, no package needed.

Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

BROWSER = shutil.which("chromium")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run", "--disable-extensions")
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"
PATIENCE_S = 60.0  # a busy machine is slow to begin


class Chromium:
    """One page. ``complaints``: what its console and its policies said, and what it could not load.

    ``requested``: every address that it asked for.
    """

    def __init__(self, profile: Path) -> None:
        assert BROWSER is not None
        self.complaints: list[str] = []
        self.requested: set[str] = set()
        self._n, self._rest, self._answers = 0, b"", dict[int, dict[str, Any]]()
        command = [BROWSER, *OPTIONS, AUTOPLAY, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        theirs_in, self._write = os.pipe()
        self._read, theirs_out = os.pipe()
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]

        def as_3_and_4() -> None:
            for number, end in enumerate(theirs, 3):
                os.dup2(end, number)

        self._process = subprocess.Popen(
            command, pass_fds=(3, 4), preexec_fn=as_3_and_4, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (theirs_in, theirs_out, *theirs):
            os.close(end)
        (page,) = (one for one in self._targets() if one["type"] == "page")
        attached = self._send("Target.attachToTarget", {"targetId": page["targetId"], "flatten": True}, None)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def _targets(self) -> list[dict[str, Any]]:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = self._send("Target.getTargets", {}, None)["targetInfos"]
            if any(one["type"] == "page" for one in found):
                return found
            time.sleep(0.05)
        raise TimeoutError("no page")

    # --- messages -----------------------------------------------------------------------------------------------------

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its result."""
        return self._send(method, parameters, self._session)

    def _send(self, method: str, parameters: dict[str, Any], session: str | None) -> dict[str, Any]:
        self._n += 1
        number = self._n
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE_S
        while number not in self._answers:
            self._receive(end - time.monotonic())
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _receive(self, timeout_s: float) -> None:
        if timeout_s <= 0 or not select.select([self._read], [], [], timeout_s)[0]:
            raise TimeoutError("Chromium does not answer")
        *whole, self._rest = (self._rest + os.read(self._read, 1 << 20)).split(b"\0")
        for message in map(json.loads, whole):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, method: str, about: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and about["entry"]["level"] in ("warning", "error"):
            self.complaints.append(f"{about['entry']['source']}: {about['entry']['text']} {about['entry'].get('url')}")
        if method == "Runtime.consoleAPICalled" and about["type"] in ("warning", "error", "assert"):
            self.complaints.append(str([one.get("value") for one in about["args"]]))
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(about["exceptionDetails"]))
        if method == "Network.requestWillBeSent":
            self.requested.add(about["request"]["url"])

    # --- what a person does -------------------------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go to a page and wait until it has loaded."""
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until an expression is true; returns it."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if found := self.ask(expression):
                return found
            time.sleep(0.02)
        raise TimeoutError(f"never true: {expression}")

    def press(self, key: str, code: int) -> None:
        """Press a key; ``code``: its virtual key code."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        about = {"key": key, "windowsVirtualKeyCode": code, "code": "Space" if key == " " else key}
        self.send("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def click(self, selector: str, across: float = 0.5) -> None:
        """Click on an element, ``across`` its width."""
        box = f"document.querySelector({json.dumps(selector)})"
        self.ask(f"{box}.scrollIntoView({{block: 'center'}})")
        x, y, width, height = self.ask(
            f"(() => {{ const b = {box}.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }})()"
        )
        at = {"x": x + across * width, "y": y + height / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, **at)

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """Set the size of the window, in CSS pixels, and the scheme that the person prefers."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, clip: Sequence[float] | None = None) -> None:
        """Write what is seen as PNG; ``clip``: x, y, width, height of a part, also beyond the window."""
        part = {} if clip is None else {"clip": dict(zip(("x", "y", "width", "height"), clip, strict=True), scale=1)}
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=clip is not None, **part)
        path.write_bytes(base64.b64decode(shot["data"]))
