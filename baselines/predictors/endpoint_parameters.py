"""The optional parameters of requests to a chat endpoint, adapted to what the server says it supports.

Servers differ: newer models of OpenAI want ``max_completion_tokens`` in place of ``max_tokens`` and no ``temperature``;
others refuse what they do not know. A refused parameter is replaced or left out of all further requests of the run.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

from baselines.predictors.endpoint_reply import error_in

log = logging.getLogger(__name__)

REPLACED = {"max_tokens": "max_completion_tokens"}
STATUSES = (400, 422)
UNSUPPORTED = re.compile(
    r"(?:not|n't|un)[ _-]?(?:support|permit|allow|recogni[sz]|expect|known|accept)|extra_forbidden|deprecated|no longer"
    r"|invalid parameter|fixed at|strictly positive|only \S{1,20} is allowed|use .?max_completion_tokens",
    re.IGNORECASE,
)


class Parameters:
    """Thread-safe; ``address``: of the endpoint, for the log."""

    def __init__(self, address: str, asked: dict[str, Any]) -> None:
        self._address, self._sent = address, dict(asked)
        self._lock = threading.Lock()

    def sent(self) -> dict[str, Any]:
        """The parameters to send now."""
        with self._lock:
            return dict(self._sent)

    def adapt(self, sent: dict[str, Any], status: int, body: bytes) -> bool:
        """Adapt to an error that names an unsupported one of the parameters ``sent``; whether it did, or had already.

        Writes each change to the log, once.
        """
        name = unsupported(sent, body) if status in STATUSES else None
        if name is None:
            return False
        with self._lock:
            if name in self._sent:
                value = self._sent.pop(name)
                instead = REPLACED.get(name)
                if instead is not None and instead not in self._sent:
                    self._sent[instead] = value
                    change = f"sending {instead} instead"
                else:
                    change = "leaving it out"
                log.warning("%s: the server does not support %s: %s", self._address, name, change)
        return True


def unsupported(sent: dict[str, Any], body: bytes) -> str | None:
    """The parameter in ``sent`` that an error calls unsupported, or None.

    >>> unsupported({"temperature": 0}, b"{'error': {'message': 'temperature is not supported'}}")
    'temperature'
    >>> unsupported({"max_tokens": 32}, b"max_tokens: at least 64") is None
    True
    """
    error, text = error_in(body), body.decode("utf-8", "replace")
    if not UNSUPPORTED.search(text):
        return None
    named = str(error.get("param") or "").split(".")[0]
    if named in sent:
        return named
    places = {name: match.start() for name in sent if (match := re.search(rf"\b{re.escape(name)}\b", text))}
    return min(places, key=lambda name: places[name], default=None)
