r"""Unwraps a model's text: removes what chat models put around an answer, before ``answers`` reads the answer.

Applies to predictions files and to endpoints alike. In this order:

1. Full-width letters, digits and symbols, and letters of mathematical fonts, become plain ones (``Ａ＃`` is ``A#``);
   zero-width characters are removed.
2. Reasoning is not read: ``<think>...</think>`` (also ``thinking``, ``thought``, ``reasoning``, ``[THINK]``), up to the
   end where it is not closed, from the start where only its end is there; of texts in channels, only ``final`` is read.
3. Tokens of chat templates (``<|im_end|>``, ``</s>``, ``<|endoftext|>``, ``<|eot_id|>``, ``<end_of_turn>`` ...), a role
   after one of them, code fences and the marks of Markdown headings end a clause; tags of HTML formatting are removed.
4. What stands in ``<answer>...</answer>`` (one of which may be missing) or ``\boxed{...}``, or under ``"answer"`` in a
   JSON object, is the answer; several must agree.
5. Otherwise, if lines begin with ``answer:`` (``Final answer:``, ``Response:`` ...), only what follows the last of them
   is read, and what follows ``explanation:`` (``reason:``, ``reasoning:`` ...) after an answer is not.

What 4 and an explanation leave out is ``beside`` the answer: if it gives another one, the text has two.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# --- 1: characters ----------------------------------------------------------------------------------------------------

_ZERO_WIDTH = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_VARIANTS = ((0x3000, 0x3001), (0xFF00, 0xFFF0), (0x1D400, 0x1D800))  # full and half width, mathematical fonts
PLAIN: dict[int, str] = {
    code: unicodedata.normalize("NFKC", chr(code)) for first, end in _VARIANTS for code in range(first, end)
} | dict.fromkeys(map(ord, _ZERO_WIDTH), "")

# --- 2, 3: what says nothing ------------------------------------------------------------------------------------------

_REASONING = r"(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)"
REASONING = re.compile(rf"<(/?){_REASONING}\b[^<>]*>|\[(/?){_REASONING}\]", re.IGNORECASE)
CHANNEL, FINAL = "<|channel|>", re.compile(r"<\|channel\|>\s*final\s*<\|message\|>")
_ROLE = r"\s*(?:assistant|model)\b\s*:?"
_STARTS = (
    rf"(?:<\|(?:im_start|start|start_header_id|start_of_role)\|>|<start_of_turn>){_ROLE}|<\|assistant\|>|^assistant:"
)
_TOKENS = r"<\|[^\s<>|]{1,40}\|>|</?(?:s|bos|eos|pad|end_of_turn|start_of_turn|end_of_utterance)>|\[/?(?:inst|eos)\]"
_BLOCKS = r"</?(?:p|br|div|pre)\s*/?>"
_FENCES = r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$|^[ \t]*#{1,6}[ \t]+"
NOTHING = re.compile(f"{_STARTS}|{_TOKENS}|{_BLOCKS}|{_FENCES}", re.IGNORECASE | re.MULTILINE)
STYLE = re.compile(r"</?(?:b|strong|i|em|u|span|code|mark)\s*>", re.IGNORECASE)

# --- 4, 5: where the answer stands ------------------------------------------------------------------------------------

ANSWER_TAG = re.compile(r"<(/?)(?:final[_ ]?)?(?:answer|ans)\b[^<>]*>", re.IGNORECASE)
BOXED, BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{"), re.compile(r"\\.|[{}]", re.DOTALL)
LATEX_STYLE = re.compile(r"\\(?:text|math|operator)[a-z]*\s*\{([^{}]*)\}|\\(?=#)|\$")
LATEX_SIGNS = {"\\sharp": "#", "\\flat": "b"}
PLACEHOLDER = " this "  # a neutral word for what was marked: in "It is a <answer>C</answer>", the "a" is no note
KEYS = ("answer", "final_answer", "final answer")
MARKER = re.compile(r"^[ \t*_>]*(?:the )?(?:final |correct )?(?:answer|response)[ *_]*:", re.IGNORECASE | re.MULTILINE)
EXPLANATION = re.compile(
    r"(?:^|(?<=[.!]))[ \t*_>(]*(?:explanation|explained|reason|reasoning|rationale|justification)[ *_]*:",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class Unwrapped:
    """The parts of a text that give its answer, which must agree, and what stands beside them."""

    parts: list[str]
    beside: list[str]


def unwrapped(text: str) -> Unwrapped:
    r"""The text without its wrapping.

    >>> unwrapped("<think>A or B?</think>The answer is \\boxed{\\text{B}}.<|im_end|>").parts
    ['B']
    >>> unwrapped("B\nExplanation: it is deep.")
    Unwrapped(parts=['B'], beside=['it is deep.'])
    """
    said = spoken(text)
    if values := _json_answers(said):
        return Unwrapped(values, [])
    tagged, outside = _tagged(said)
    boxed, beside = _boxed(outside)
    marked = [part for one in tagged for part in _boxed(one)[0] or [_after_marker(one)]] + boxed
    if marked:
        return Unwrapped(marked, [beside])
    said = _after_marker(said)
    explained = next((one for one in EXPLANATION.finditer(said) if said[: one.start()].strip()), None)
    if explained is None:
        return Unwrapped([said], [])
    return Unwrapped([said[: explained.start()].strip()], [said[explained.end() :].strip()])


def spoken(text: str) -> str:
    """What a model says to the user: the text without reasoning and tokens of chat templates, in plain characters."""
    text = unicodedata.normalize("NFC", text).translate(PLAIN)
    if CHANNEL in text:
        finals = [match.end() for match in FINAL.finditer(text)]
        text = text[finals[-1] :] if finals else ""
    return STYLE.sub(" ", NOTHING.sub("\n", _without_reasoning(text))).strip()


def _without_reasoning(text: str) -> str:
    kept: list[str] = []
    start, is_inside = 0, False
    for tag in REASONING.finditer(text):
        is_end = bool(tag[1] or tag[2])
        if is_end and not is_inside:
            kept.clear()  # it began in the prompt
        elif not is_end and not is_inside:
            kept.append(text[start : tag.start()])
        start, is_inside = tag.end(), not is_end
    return "\n".join([*kept, *([] if is_inside else [text[start:]])])


def _json_answers(text: str) -> list[str]:
    """The values of ``"answer"`` if the text is a JSON object, all of them if the key is repeated."""
    if not (text.startswith("{") and text.endswith("}")):
        return []
    try:
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError):
        return []
    return [str(value) for name, value in pairs if name.lower() in KEYS and isinstance(value, str | int)]


def _tagged(text: str) -> tuple[list[str], str]:
    """The contents of the answer's tags, and the text outside them; a missing tag is at the start or the end."""
    inside: list[str] = []
    outside: list[str] = []
    start, is_inside = 0, False
    for tag in ANSWER_TAG.finditer(text):
        is_end = bool(tag[1])
        is_answer = is_inside or (is_end and not inside)
        (inside if is_answer else outside).append(text[start : tag.start()])
        start, is_inside = tag.end(), not is_end
    (inside if is_inside else outside).append(text[start:])
    return [one.strip() for one in inside if one.strip()], PLACEHOLDER.join(outside)


def _boxed(text: str) -> tuple[list[str], str]:
    r"""The contents of every ``\boxed{...}``, and the text outside them."""
    boxed: list[str] = []
    outside: list[str] = []
    at = 0
    while (box := BOXED.search(text, at)) is not None:
        end = _closing_brace(text, box.end())
        outside.append(text[at : box.start()])
        boxed.append(_without_latex(text[box.end() : end]))
        at = end + 1
    return boxed, PLACEHOLDER.join([*outside, text[at:]])


def _closing_brace(text: str, start: int) -> int:
    """The place of the brace that closes the one before ``start``; the text's end if none does."""
    depth = 1
    for brace in _braces(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return len(text)


def _braces(text: str, start: int) -> Iterator[re.Match[str]]:
    return (match for match in BRACES.finditer(text, start) if match[0] in "{}")


def _without_latex(text: str) -> str:
    for sign, plain in LATEX_SIGNS.items():
        text = text.replace(sign, plain)
    text = BOXED.sub("{", text)
    for _ in range(3):  # \text inside \mathbf
        text = LATEX_STYLE.sub(r"\1", text)
    return text.replace("{", "").replace("}", "").replace("^", "").strip()


def _after_marker(text: str) -> str:
    return text[max((match.end() for match in MARKER.finditer(text)), default=0) :]
