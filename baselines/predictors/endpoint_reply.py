"""Reads the reply of a chat endpoint: the model's text, or the reason why there is none.

A reply without text is a result like any other: it is kept, counted by its cause, and not asked for again. Only what is
no reply (no JSON, an error, no ``choices``) is malformed, and asked for again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from baselines.tasks.aqa.evaluate import EMPTY, REASONING_ONLY
from baselines.tasks.aqa.wrapping import spoken

REFUSAL, CONTENT_FILTER, LENGTH = "refusal", "content_filter", "length"
TOOL_CALLS, NO_CHOICES, NO_TRANSCRIPT = "tool_calls", "no_choices", "audio_without_transcript"
TEXT_PARTS = ("text", "output_text", None)
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
FILTERED = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")  # codes of errors


@dataclass(frozen=True)
class Reply:
    """The result of a request. ``text``: what the model said; ``cause``: why that is no answer, None if it may be one.

    ``error``: why there is no reply; ``is_fatal``: whether all other requests would fail as well.
    """

    text: str | None
    cause: str | None = None
    error: str | None = None
    is_fatal: bool = False


class Malformed(Exception):
    """A reply that is none."""


def reply_in(data: bytes) -> Reply:
    """The reply in the body of a response. Raises Malformed if it is none.

    >>> reply_in(b'{"choices": [{"message": {"content": [{"type": "text", "text": "A#"}]}}]}').text
    'A#'
    >>> reply_in(b'{"choices": [{"message": {"content": null, "refusal": "I cannot."}}]}')
    Reply(text='I cannot.', cause='refusal', error=None, is_fatal=False)
    """
    try:
        stored = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("found no JSON") from None
    choices = stored.get("choices") if isinstance(stored, dict) else None
    if not isinstance(choices, list):
        raise Malformed("found no choices")
    choice = choices[0] if choices else None
    if stored.get("error") or (isinstance(choice, dict) and choice.get("error")):
        raise Malformed("found an error")
    if not choices:
        return Reply(None, NO_CHOICES)
    if not isinstance(choice, dict):
        raise Malformed("found no choice in choices[0]")
    message = choice.get("message")
    return _reply_of(message if isinstance(message, dict) else {"content": choice.get("text")}, choice)


def filtered_reply(data: bytes) -> Reply | None:
    """The reply in the body of an error, if that says that a content filter stopped the request."""
    error = error_in(data)
    inner = error.get("innererror")
    codes = [error.get("code"), inner.get("code") if isinstance(inner, dict) else None]
    return Reply(_text(error.get("message")), CONTENT_FILTER) if any(code in FILTERED for code in codes) else None


def error_in(data: bytes) -> dict[str, Any]:
    """The object ``error`` in the body of a response; empty if there is none."""
    try:
        stored = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    found = stored.get("error") if isinstance(stored, dict) else None
    return found if isinstance(found, dict) else {}


def _reply_of(message: dict[str, Any], choice: dict[str, Any]) -> Reply:
    finish = choice.get("finish_reason")
    text = _content(message)
    if text is not None and spoken(text):
        return Reply(text)
    refusal = _text(message.get("refusal")) or _parts(message.get("content"), "refusal", ("refusal",))
    if refusal:
        return Reply(refusal, REFUSAL)
    if finish in (CONTENT_FILTER, REFUSAL):
        return Reply(text, finish)
    reasoning = text or _reasoning(message)
    if finish == LENGTH:
        return Reply(reasoning, LENGTH)
    if reasoning or message.get("reasoning_details"):
        return Reply(reasoning, REASONING_ONLY)
    if message.get("tool_calls") or message.get("function_call"):
        return Reply(None, TOOL_CALLS)
    return Reply(None, NO_TRANSCRIPT if message.get("audio") else EMPTY)


def _content(message: dict[str, Any]) -> str | None:
    """The text of a message: its content, the text parts of it, or the transcript of its audio."""
    content, audio = message.get("content"), message.get("audio")
    text = _text(content) or _parts(content, "text", TEXT_PARTS) or _parts(content, "transcript", ("audio",))
    return text or (_text(audio.get("transcript")) if isinstance(audio, dict) else None)


def _reasoning(message: dict[str, Any]) -> str | None:
    """The reasoning of a message, in whichever place the server puts it."""
    content = message.get("content")
    beside = [_text(message.get(name)) for name in REASONING_FIELDS]
    inside = [_parts(content, "thinking", ("thinking",)), _parts(content, "text", ("reasoning",))]
    return next((one for one in [*beside, *inside] if one), None)


def _parts(content: Any, field: str, types: tuple[str | None, ...]) -> str | None:
    """The texts in ``field`` of the parts of these types, joined; a part may be a text itself."""
    parts = content if isinstance(content, list) else [content] if isinstance(content, dict) else []
    texts = []
    for part in parts:
        if isinstance(part, str) and None in types:
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in types:
            texts.append(_text(part.get(field)) or "")
    return "".join(texts) or None


def _text(value: Any) -> str | None:
    """A text that is not blank, or None."""
    return value if isinstance(value, str) and value.strip() else None
