"""Asking a chat endpoint, against a real server on the loopback interface that fails in every way it can."""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clear_gen
from baselines.core.predictions import write_predictions
from baselines.predictors import endpoint, endpoint_client
from baselines.predictors.endpoint import Endpoint, EndpointSettings, clip_of, prompt_of
from baselines.tasks.aqa.questions import Questions, read_split
from baselines.tasks.scoring import evaluate, evaluate_file
from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.pcm import from_pcm16, to_pcm16
from clear_gen.dsp.resample import resampled
from clear_gen.scenes.domain import Domain
from tests.baselines.predictors.chat_server import Answer, Asked, Chat, chat_server, said
from tests.counts import thinned
from tests.datasets.runs import RATE, write_banks
from tests.datasets.scenes.published import question as published_question
from tests.datasets.scenes.published import read_in, write_questions, write_source

KEY = "sk-test-4f9a51c2/d7+e8=="
FEW = 8  # questions, of two scenes
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="session")
def banks(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_banks(tmp_path_factory.mktemp("banks"))


def make(folder: Path, n: int, banks: list[str], *more: str) -> Path:
    """``n`` scenes of the test split, and four questions about each."""
    arguments = ["--n", str(n), "--sample-rate", str(RATE), "--workers", "1", "--splits", "0,0,1", *banks, *more]
    assert run(["scenes", *arguments, "--out", str(folder)]) == DONE
    assert run(["questions", str(folder), "--workers", "1"]) == DONE
    return folder


@pytest.fixture(scope="session")
def data(banks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("asked") / "data", 20, banks)


@pytest.fixture(scope="session")
def questions(data: Path) -> Questions:
    return read_split(data, "test")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come soon, no key of the user's is sent anywhere, and no proxy of the user's is asked."""
    monkeypatch.setattr(endpoint_client, "BACKOFF_S", 0.02)
    for name in ("OPENAI_API_KEY", *PROXIES, *map(str.lower, PROXIES)):
        monkeypatch.delenv(name, raising=False)


def settings_for(chat: Chat, **changes: Any) -> EndpointSettings:
    return replace(EndpointSettings(chat.url, "some-model", timeout_s=10), **changes)


def ask(
    settings: EndpointSettings,
    folder: Path,
    split: str,
    out: Path,
    limit: int | None = FEW,
    cache: Path | None = None,
) -> Path:
    """Let an endpoint predict, as ``clear-bench evaluate`` does."""
    asked = read_split(folder, split).first(limit)
    write_predictions(out, asked, Endpoint(settings, cache or out.parent / "cache").predict(asked))
    return out


def ask_in_vain(settings: EndpointSettings, folder: Path, out: Path, limit: int) -> Path:
    """Ask an endpoint that answers no question, which ends in an error, and fewer of them than would end it at once."""
    with pytest.raises(CheckFailed, match=rf": none of {limit} questions was answered, the first with: [^\n]*$"):
        ask(settings, folder, "test", out, limit)
    return out


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def everything_below(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())


# --- What is sent and what is written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [RATE, 16000])
def test_every_question_is_asked_with_its_scene(data: Path, questions: Questions, tmp_path: Path, rate: int) -> None:
    with chat_server(lambda asked: Answer(f" {asked.prompt.splitlines()[1]}\n")) as chat:
        out = ask(
            settings_for(chat, sample_rate=rate), data, "test", tmp_path / "new" / "predictions.jsonl", limit=None
        )
    expected = []
    records = clear_gen.open_dataset(data).questions("test")
    asked_of = {(one.prompt, one.pcm.tobytes()): one for one in chat.asked}
    assert len(asked_of) == len(chat.asked) == len(records) == len(questions) == 80
    for record in records:
        prompt = prompt_of(record.text, record.question_type, questions.domain)
        one = asked_of[prompt, to_pcm16(resampled(record.scene.waveform, RATE, rate)).tobytes()]
        assert len(one.pcm) == -(-record.scene.graph.n_samples * rate // RATE)
        assert one.sample_rate == rate
        assert one.path == "/v1/chat/completions"
        assert "Authorization" not in one.headers
        assert {name: value for name, value in one.body.items() if name != "messages"} == {
            "model": "some-model",
            "temperature": 0,
            "max_tokens": endpoint.MAX_TOKENS,
        }
        text = f"Question: {record.text}"
        expected.append({"question_id": record.question_id, "answer": text, "raw": f" {text}\n"})
    assert lines_of(out) == expected
    assert [path.name for path in out.parent.iterdir()] in ([out.name, "cache"], ["cache", out.name])


def test_the_prompt_lists_the_answers_of_the_type_and_says_no_more(clear2: Domain) -> None:
    assert prompt_of("Is there {0} {a} flute?", "exist", clear2) == (
        "Listen to the recording and answer the question about it.\n"
        "Question: Is there {0} {a} flute?\n"
        "Possible answers: yes, no\n"
        "Answer with one of them, nothing else."
    )
    assert "A, A#, B, C, C#, D, D#, E, F, F#, G, G#\n" in prompt_of("?", "note", clear2)
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n" in prompt_of("?", "count", clear2)


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/", "?version=2", "/#here"])
def test_the_address_may_be_given_in_several_ways(data: Path, tmp_path: Path, end: str) -> None:
    with chat_server() as chat:
        ask(settings_for(chat, url=chat.url + end), data, "test", tmp_path / "p.jsonl", limit=1)
    (asked,) = chat.asked
    assert asked.path == "/v1/chat/completions" + ("?version=2" if "version" in end else "")


def test_a_text_in_parts_is_one_text(data: Path, tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "A"}, {"type": "reasoning", "text": "hm"}, {"type": "text", "text": "#"}]
    with chat_server(lambda asked: Answer(said(parts))) as chat:
        out = ask(settings_for(chat), data, "test", tmp_path / "p.jsonl")
    assert [(line["answer"], line["raw"]) for line in lines_of(out)] == [("A#", "A#")] * FEW


def test_a_text_that_is_no_utf_8_is_kept(data: Path, tmp_path: Path) -> None:
    with chat_server(lambda asked: Answer("\ud800 é\n")) as chat:
        out = ask(settings_for(chat), data, "test", tmp_path / "p.jsonl", limit=1)
    assert lines_of(out)[0]["raw"] == "\ud800 é\n"


def test_a_dataset_without_audio_is_rendered_the_same(data: Path, banks: list[str], tmp_path: Path) -> None:
    silent = make(tmp_path / "silent", 2, banks, "--no-audio")
    with chat_server() as chat:
        ask(settings_for(chat), data, "test", tmp_path / "p.jsonl")
        with_audio = {asked.pcm.tobytes() for asked in chat.asked}
        ask(settings_for(chat, model="other"), silent, "test", tmp_path / "p.jsonl")
    assert {asked.pcm.tobytes() for asked in chat.asked[FEW:]} == with_audio
    assert len(with_audio) == 2


def test_imported_scenes_without_audio_cannot_be_asked_about(clear2: Domain, tmp_path: Path) -> None:
    source = write_source(tmp_path / "source", audio=False, val=2)
    write_questions(source, "val", [published_question(0, 0), published_question(1, 1)])
    read_in(source, tmp_path / "imported", clear2)
    with chat_server() as chat, pytest.raises(InputError, match=r"audio: found none, .* import the dataset again"):
        ask(settings_for(chat), tmp_path / "imported", "validation", tmp_path / "p.jsonl")
    assert not chat.asked


# --- Many at a time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 3])
def test_so_many_are_asked_at_a_time_and_no_more(data: Path, tmp_path: Path, concurrency: int) -> None:
    together = threading.Barrier(concurrency)

    def answer(asked: Asked) -> Answer:
        together.wait(5)  # breaks, and fails the test, unless so many are here
        return Answer(delay_s=0.02)

    with chat_server(answer) as chat:
        ask(settings_for(chat, concurrency=concurrency), data, "test", tmp_path / "p.jsonl", limit=12)
    assert chat.at_once == concurrency
    assert len(chat.asked) == 12


def test_audio_is_encoded_once_a_scene_and_only_a_little_ahead(
    data: Path, questions: Questions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, ahead = [], []
    monkeypatch.setattr(endpoint, "clip_of", lambda *given: encoded.append(0) or clip_of(*given))

    def answer(asked: Asked) -> Answer:
        ahead.append(4 * len(encoded) - asked.number)
        return Answer()

    with chat_server(answer) as chat:
        ask(settings_for(chat, concurrency=2), data, "test", tmp_path / "p.jsonl", limit=None)
    assert len(encoded) == 20
    assert max(ahead) <= 2 * 2 + 4 + 2  # the window, the rest of a scene, what is being answered


def test_the_order_is_the_dataset_s_whichever_comes_first(data: Path, questions: Questions, tmp_path: Path) -> None:
    with chat_server(lambda asked: Answer(str(asked.prompt), delay_s=0.1 if asked.number % 3 == 0 else 0)) as chat:
        out = ask(settings_for(chat), data, "test", tmp_path / "p.jsonl", limit=20)
    for k, line in enumerate(lines_of(out)):
        assert line["question_id"] == questions.question_id[k]
        assert questions.question[k] in line["raw"]


# --- The cache --------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_twice_unless_something_changed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "p.jsonl"
    with chat_server(lambda asked: Answer(f"answer {asked.number}")) as chat:
        settings = settings_for(chat)
        first = ask(settings, data, "test", out, limit=2).read_bytes()
        for same in (settings, replace(settings, url=chat.url + "/", concurrency=1, retries=0, timeout_s=3)):
            assert ask(same, data, "test", out, limit=2).read_bytes() == first
            assert len(chat.asked) == 2
        for number, changed in enumerate([{"model": "other"}, {"sample_rate": 11025}, {"url": chat.url + "?v=2"}]):
            assert ask(replace(settings, **changed), data, "test", out, limit=2).read_bytes() != first
            assert len(chat.asked) == 2 * (number + 2)
        ask(settings, data, "test", out, limit=2, cache=tmp_path / "elsewhere")
        assert len(chat.asked) == 10
        monkeypatch.setattr(endpoint, "PROMPT", "{question} {answers}")
        ask(settings, data, "test", out, limit=2)
        assert len(chat.asked) == 12
        for number, changed in enumerate([{"max_tokens": 5}, {"extra_body": {"seed": 1}}, {"extra_body": {"seed": 2}}]):
            ask(replace(settings, **changed), data, "test", out, limit=2)
            assert len(chat.asked) == 14 + 2 * number


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff", b'{"format": 1, "key": "0", "raw": "no"}', b'{"raw": 3}'])
def test_a_damaged_file_of_the_cache_is_asked_again(data: Path, tmp_path: Path, damage: bytes) -> None:
    out = tmp_path / "p.jsonl"
    with chat_server() as chat:
        settings = settings_for(chat)
        first = ask(settings, data, "test", out).read_bytes()
        kept = sorted((tmp_path / "cache").glob("*/*.json"))
        assert len(kept) == FEW
        assert all(path.parent.name == path.name[:2] for path in kept)
        kept[3].write_bytes(damage)
        assert ask(settings, data, "test", out).read_bytes() == first
        assert len(chat.asked) == FEW + 1
        ask(settings, data, "test", out)
        assert len(chat.asked) == FEW + 1


def test_an_interrupted_run_stops_at_once_and_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.number == 11:  # the first eight are answered and kept, the others hang
            os.kill(os.getpid(), signal.SIGINT)
        return Answer(asked.prompt, delay_s=30 if asked.number >= 8 else 0)

    out = tmp_path / "p.jsonl"
    with chat_server(answer) as chat:
        settings = settings_for(chat)
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            ask(settings, data, "test", out, limit=20)
        assert time.monotonic() - start < 5
        assert not out.exists()
        n_before = len(chat.asked)
        assert n_before == 12
        chat.answer = lambda asked: Answer(asked.prompt)
        ask(settings, data, "test", out, limit=20)
        assert len(chat.asked) - n_before == 20 - 8
    assert [line["raw"] is not None for line in lines_of(out)] == [True] * 20
    assert not list(tmp_path.rglob("*.tmp"))


# --- Attempts that fail -----------------------------------------------------------------------------------------------

OVER = b'{"choices": [{"message": {"content": "' + b"x" * (1 << 20) + b'"}}]}'
TRANSIENT = {
    "500": Answer(b"oops", status=500),
    "503": Answer(b"", status=503),
    "408": Answer(b"", status=408),
    "409": Answer(b"", status=409),
    "429": Answer(b"slowly", status=429),
    "429 and nonsense": Answer(b"slowly", status=429, headers={"Retry-After": "soon"}),
    "no JSON": Answer(b"<html>"),
    "deep JSON": Answer(b"[" * 100_000),
    "no reply": Answer(b'{"object": "list"}'),
    "an error that says it is none": Answer(b'{"error": {"message": "overloaded"}}'),
    "an error beside choices": Answer(b'{"error": {"message": "overloaded"}, "choices": []}'),
    "an error in a choice": Answer(b'{"choices": [{"error": {"code": 502}, "message": {"content": ""}}]}'),
    "cut in the body": Answer("yes", cut=20),
    "cut before the body": Answer("yes", cut=0),
    "huge": Answer(OVER),
    "slow": Answer(delay_s=20),
    "dripping": Answer(drip_s=0.05),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_may_go_better_is_tried_again(data: Path, tmp_path: Path, name: str) -> None:
    """The third question's first two attempts go wrong."""
    wrong: list[bytes] = []

    def answer(asked: Asked) -> Answer:
        one = asked.prompt.encode() + asked.pcm.tobytes()
        wrong.extend([one] if asked.number == 2 else [])
        return TRANSIENT[name] if one in wrong and asked.attempt < 2 else Answer("right")

    start = time.monotonic()
    with chat_server(answer) as chat:
        out = ask(
            settings_for(chat, timeout_s=0.5 if name in ("slow", "dripping") else 10, concurrency=2),
            data,
            "test",
            tmp_path / "p.jsonl",
        )
    assert [line["answer"] for line in lines_of(out)] == ["right"] * FEW
    assert len(chat.asked) == FEW + 2
    assert time.monotonic() - start < 5


def test_a_timeout_is_of_the_whole_attempt(data: Path, tmp_path: Path) -> None:
    """A byte every 50 ms, of headers and body, would last 10 s."""
    start = time.monotonic()
    with chat_server(lambda asked: Answer(drip_s=0.05)) as chat:
        out = ask_in_vain(settings_for(chat, timeout_s=0.5, retries=1), data, tmp_path / "p.jsonl", limit=2)
        assert 1 < time.monotonic() - start < 4
    assert [line["error"] for line in lines_of(out)] == ["no reply within 0.5 s, in attempt 2"] * 2
    assert len(chat.asked) == 4


def test_a_reply_has_an_end(data: Path, tmp_path: Path) -> None:
    with chat_server(lambda asked: Answer(OVER)) as chat:
        out = ask_in_vain(settings_for(chat, retries=0), data, tmp_path / "p.jsonl", limit=1)
    assert lines_of(out)[0]["error"] == "malformed reply: found more than 1,048,576 bytes"


@pytest.mark.parametrize(("asked_for", "low", "high"), [("1", 1.0, 2.5), ("3600", 0.3, 1.5)])
def test_a_server_says_when_to_come_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_for: str, low: float, high: float
) -> None:
    if asked_for == "3600":  # not for ever, though
        monkeypatch.setattr(endpoint_client, "MAX_RETRY_AFTER_S", 0.3)
    times = []

    def answer(asked: Asked) -> Answer:
        times.append(time.monotonic())
        return Answer(b"", 429, {"Retry-After": asked_for}) if asked.attempt == 0 else Answer()

    with chat_server(answer) as chat:
        ask(settings_for(chat), data, "test", tmp_path / "p.jsonl", limit=1)
    first, second = times
    assert low <= second - first < high


def test_retries_come_later_and_later_and_end(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint_client, "BACKOFF_S", 0.1)
    times = []

    def answer(asked: Asked) -> Answer:
        times.append(time.monotonic())
        return Answer(b"oops \x1b[31m\n again", status=500)

    with chat_server(answer) as chat, caplog.at_level(logging.WARNING):
        out = ask_in_vain(settings_for(chat, retries=3), data, tmp_path / "p.jsonl", limit=1)
    gaps = np.diff(times)
    assert len(gaps) == 3
    for k, gap in enumerate(gaps):
        assert 0.05 * 2**k <= gap < 0.1 * 2**k + 0.5
    (line,) = lines_of(out)
    assert line["answer"] is None
    assert "raw" not in line
    assert line["error"] == "status 500 Internal Server Error: oops [31m again, in attempt 4"
    assert not caplog.text  # the error says it


def test_a_wrong_request_is_not_tried_again_and_the_others_go_on(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with chat_server(lambda asked: Answer(b"too long", status=400) if asked.number == 1 else Answer()) as chat:
        out = ask(settings_for(chat, concurrency=1), data, "test", tmp_path / "p.jsonl")
        assert len(chat.asked) == FEW
        lines = lines_of(out)
        assert [line["answer"] for line in lines] == ["yes", None, *["yes"] * (FEW - 2)]
        assert lines[1]["error"] == "status 400 Bad Request: too long"
        assert f"1 of {FEW} questions have no answer (status 400 Bad Request: too long)" in caplog.text
        ask(settings_for(chat), data, "test", out)  # failures are not kept
        assert len(chat.asked) == FEW + 1
    assert [line["answer"] for line in lines_of(out)] == ["yes"] * FEW


@pytest.mark.parametrize("status", [401, 403, 404, 302, 307])
def test_a_refusal_ends_the_run_at_once(data: Path, questions: Questions, tmp_path: Path, status: int) -> None:
    def answer(asked: Asked) -> Answer:
        location = {"Location": f"{chat.url}/chat/completions"} if status < 400 else {}
        return Answer(asked.prompt) if asked.number < 3 else Answer(b"no", status, location)

    out = tmp_path / "p.jsonl"
    with chat_server(answer) as chat, pytest.raises(CheckFailed) as error:
        ask(settings_for(chat, concurrency=1), data, "test", out)
    assert len(chat.asked) <= 5  # the next one may have begun
    assert f"{chat.url}/chat/completions: status {status} " in str(error.value)
    assert "\n" not in str(error.value)
    lines = lines_of(out)
    assert [line["question_id"] for line in lines] == questions.question_id[:FEW].tolist()
    assert [line["answer"] is not None for line in lines] == [True] * 3 + [False] * (FEW - 3)
    assert lines[3]["error"].startswith(chat.url)
    assert all(line["error"].startswith(f"not asked, because of: {chat.url}") for line in lines[4:])


def test_a_refusal_does_not_wait_for_what_is_under_way(data: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    with chat_server(lambda asked: Answer(b"", 401) if asked.number == 3 else Answer(delay_s=30)) as chat:
        with pytest.raises(CheckFailed, match="environment variable SOME_KEY"):
            ask(settings_for(chat, api_key_variable="SOME_KEY"), data, "test", tmp_path / "p.jsonl")
        assert time.monotonic() - start < 3


def test_too_many_failures_end_the_run(data: Path, questions: Questions, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    with chat_server(lambda asked: Answer() if asked.number in (0, 1) else Answer(b"bad", 422)) as chat:
        settings = settings_for(chat, concurrency=1, max_failures=3)
        with pytest.raises(
            CheckFailed, match=r"3 questions failed, the first with: status 422 .*: bad; run again .*p.jsonl has"
        ):
            ask(settings, data, "test", out, limit=None)
        assert len(chat.asked) <= 6  # the next one may have begun
        lines = lines_of(out)
        assert [line["question_id"] for line in lines] == questions.question_id.tolist()
        assert [line["answer"] for line in lines] == ["yes", "yes", *[None] * 78]
        assert [line["error"][:10] for line in lines[2:5]] == ["status 422"] * 3
        assert all(line["error"].startswith("not asked, because of: http") for line in lines[5:])
        chat.answer = lambda asked: Answer()
        n_before = len(chat.asked)
        ask(settings, data, "test", out, limit=None)
        assert len(chat.asked) == n_before + 78


def test_fewer_failures_do_not(data: Path, tmp_path: Path) -> None:
    with chat_server(lambda asked: Answer(b"bad", 422) if asked.number < 2 else Answer()) as chat:
        out = ask(settings_for(chat, concurrency=1, max_failures=3), data, "test", tmp_path / "p.jsonl")
    assert sum(line["answer"] is None for line in lines_of(out)) == 2


def test_nobody_is_there(data: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        settings = EndpointSettings(url, "m", retries=1, max_failures=2)
        with pytest.raises(CheckFailed, match=r"2 questions failed, the first with: .*refused, in attempt 2"):
            ask(settings, data, "test", tmp_path / "p.jsonl")


def test_a_server_without_tls_is_an_error_like_others(data: Path, tmp_path: Path) -> None:
    with chat_server() as chat:
        settings = settings_for(chat, url=chat.url.replace("http", "https"), retries=0)
        out = ask_in_vain(settings, data, tmp_path / "p.jsonl", limit=1)
    assert "SSL" in lines_of(out)[0]["error"]


# --- Replies without an answer ----------------------------------------------------------------------------------------


def reply(message: dict[str, Any], finish: str | None = "stop") -> Answer:
    return Answer(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}).encode())


SORRY = "I can't help with that."
SILENT = {  # cause, raw text, reply
    "refusal": ("refusal", SORRY, reply({"content": None, "refusal": SORRY})),
    "refusal in parts": ("refusal", SORRY, reply({"content": [{"type": "refusal", "refusal": SORRY}]})),
    "content filter": ("content_filter", None, reply({"content": None}, "content_filter")),
    "content filter, empty": ("content_filter", None, reply({"content": ""}, "content_filter")),
    "content filter of the prompt": (
        "content_filter",
        SORRY,
        Answer(json.dumps({"error": {"message": SORRY, "code": "content_filter", "param": "prompt"}}).encode(), 400),
    ),
    "reasoning_content": ("reasoning_only", "hm", reply({"content": None, "reasoning_content": "hm"})),
    "reasoning": ("reasoning_only", "hm", reply({"content": "", "reasoning": "hm"})),
    "reasoning in parts": ("reasoning_only", "hm", reply({"content": [{"type": "thinking", "thinking": "hm"}]})),
    "reasoning in the text": ("reasoning_only", "<think>yes", reply({"content": "<think>yes"})),
    "reasoning cut off": ("length", "<think>yes", reply({"content": "<think>yes"}, "length")),
    "nothing but the limit": ("length", None, reply({"content": ""}, "length")),
    "tool calls": ("tool_calls", None, reply({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls")),
    "audio": ("audio_without_transcript", None, reply({"content": None, "audio": {"data": "", "transcript": ""}})),
    "null": ("empty", None, reply({"content": None})),
    "no content": ("empty", None, reply({"role": "assistant"})),
    "blank": ("empty", None, reply({"content": " \n"})),
    "no parts": ("empty", None, reply({"content": []})),
    "another part": ("empty", None, reply({"content": [{"type": "image"}]})),
    "parts of something": ("empty", None, reply({"content": [3]})),
    "no choices": ("no_choices", None, Answer(b'{"choices": []}')),
}


@pytest.mark.parametrize("name", thinned(list(SILENT)))
def test_a_reply_without_an_answer_is_kept_with_its_cause_and_ends_no_run(
    data: Path, questions: Questions, tmp_path: Path, name: str
) -> None:
    cause, raw, silent = SILENT[name]
    with chat_server(lambda asked: silent if asked.number < 5 else Answer("yes")) as chat:
        settings = settings_for(chat, concurrency=1, max_failures=1)
        out = ask(settings, data, "test", tmp_path / "p.jsonl")
        assert len(chat.asked) == FEW
        first, lines = out.read_bytes(), lines_of(out)
        expected = {"question_id": questions.question_id[0], "answer": None, "cause": cause}
        assert lines[0] == (expected if raw is None else {**expected, "raw": raw})
        assert [line["answer"] for line in lines] == [None] * 5 + ["yes"] * 3
        assert ask(settings, data, "test", out).read_bytes() == first
        assert len(chat.asked) == FEW
    done = evaluate(Endpoint(settings, tmp_path / "cache"), questions.first(FEW), tmp_path / "out")
    assert done.file.unparseable[cause] == 5
    shown = "\n".join(done.task.lines({"test": done.file}))
    assert f"5 {cause.replace('_', ' ')}" in shown
    again = evaluate_file(tmp_path / "out/predictions-test.jsonl", questions.first(FEW), tmp_path / "again")
    assert again.file.unparseable == done.file.unparseable


SPOKEN = {
    "transcript": {"content": None, "audio": {"id": "1", "data": "AAAA", "transcript": "A#"}},
    "text parts": {"content": [{"type": "text", "text": "A"}, {"type": "text", "text": "#"}]},
    "other parts": {"content": [{"type": "thinking", "thinking": "B"}, {"type": "output_text", "text": "A#"}]},
    "texts": {"content": ["A#"]},
    "one part": {"content": {"type": "text", "text": "A#"}},
    "audio part": {"content": [{"type": "audio", "transcript": "A#"}]},
    "beside reasoning": {"content": "A#", "reasoning_content": "B"},
    "beside an empty refusal": {"content": "A#", "refusal": None},
}


@pytest.mark.parametrize("name", SPOKEN)
def test_text_is_found_wherever_it_is(data: Path, tmp_path: Path, name: str) -> None:
    with chat_server(lambda asked: reply(SPOKEN[name])) as chat:
        out = ask(settings_for(chat), data, "test", tmp_path / "p.jsonl", limit=1)
    assert (lines_of(out)[0]["answer"], lines_of(out)[0]["raw"]) == ("A#", "A#")


def test_replies_that_were_cut_off_name_the_option(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut = reply({"content": "", "reasoning_content": "It could be"}, "length")
    with chat_server(lambda asked: cut if asked.number < 2 else Answer()) as chat:
        ask(settings_for(chat, concurrency=1), data, "test", tmp_path / "p.jsonl")
    assert f"2 of {FEW} replies were cut off before an answer; --max-tokens raises the limit" in caplog.text


# --- Parameters that a server does not support ------------------------------------------------------------------------


def error(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Answer:
    return Answer(json.dumps({"error": {"message": message, "param": param, "code": code}}).encode(), status)


def picky(asked: Asked) -> Answer:
    """As OpenAI's reasoning models answer, and one more that knows no seed."""
    if "max_tokens" in asked.body:
        text = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
        return error(text, "max_tokens", "unsupported_parameter")
    if "temperature" in asked.body:
        return error(
            "Unsupported value: 'temperature' does not support 0 with this model.", "temperature", "unsupported"
        )
    if "seed" in asked.body:
        detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]
        return Answer(json.dumps({"detail": detail}).encode(), 422)
    return Answer("yes")


def test_unsupported_parameters_are_adapted_to_once(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with chat_server(picky) as chat:
        settings = settings_for(chat, retries=0, max_failures=1, concurrency=1, max_tokens=77, extra_body={"seed": 5})
        out = ask(settings, data, "test", tmp_path / "p.jsonl")
        assert len(chat.asked) == FEW + 3
        last = {name: value for name, value in chat.asked[-1].body.items() if name != "messages"}
        assert last == {"model": "some-model", "max_completion_tokens": 77}
        ask(settings, data, "test", out)
        assert len(chat.asked) == FEW + 3
    assert [line["answer"] for line in lines_of(out)] == ["yes"] * FEW
    said = [one.getMessage() for one in caplog.records]
    assert said == [
        f"{chat.url}/chat/completions: the server does not support max_tokens: sending max_completion_tokens instead",
        f"{chat.url}/chat/completions: the server does not support temperature: leaving it out",
        f"{chat.url}/chat/completions: the server does not support seed: leaving it out",
    ]


def test_several_requests_at_a_time_adapt_together(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with chat_server(picky) as chat:
        out = ask(settings_for(chat, retries=0, max_failures=1, concurrency=6), data, "test", tmp_path / "p.jsonl", 20)
    assert [line["answer"] for line in lines_of(out)] == ["yes"] * 20
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("max_tokens is too large: 32. This model supports at most 16 completion tokens.", "max_tokens"),
        ("This model does not support audio input.", None),
        ("temperature: found 0, expected a text", "temperature"),
    ],
)
def test_another_fault_is_not_adapted_to(data: Path, tmp_path: Path, message: str, param: str | None) -> None:
    with chat_server(lambda asked: error(message, param)) as chat:
        ask_in_vain(settings_for(chat), data, tmp_path / "p.jsonl", limit=1)
    assert len(chat.asked) == 1


def test_further_parameters_are_part_of_every_request_and_of_the_results(
    data: Path, questions: Questions, tmp_path: Path
) -> None:
    extra = {"temperature": 0.5, "chat_template_kwargs": {"enable_thinking": False}}
    with chat_server() as chat:
        settings = settings_for(chat, extra_body=extra, max_tokens=9)
        done = evaluate(Endpoint(settings, tmp_path / "cache"), questions.first(2), tmp_path / "out")
        ask(replace(settings, extra_body={"max_completion_tokens": 3}), data, "test", tmp_path / "p.jsonl", limit=1)
    sent = [{name: value for name, value in one.body.items() if name != "messages"} for one in chat.asked]
    assert sent[0] == {"model": "some-model", "max_tokens": 9, **extra}
    assert sent[2] == {"model": "some-model", "temperature": 0, "max_completion_tokens": 3}
    assert done.file.config.request == {"sample_rate": 16000, "max_tokens": 9, **extra}


# --- Proxies ----------------------------------------------------------------------------------------------------------


def test_the_proxy_of_the_environment_is_asked(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chat_server() as chat:  # a proxy is sent the whole address
        monkeypatch.setenv("HTTP_PROXY", chat.url.removesuffix("/v1"))
        settings = settings_for(chat, url="http://model.invalid/v1", retries=0)
        out = ask(settings, data, "test", tmp_path / "p.jsonl", limit=1)
        assert [asked.path for asked in chat.asked] == ["http://model.invalid/v1/chat/completions"]
        monkeypatch.setenv("NO_PROXY", "model.invalid")
        ask_in_vain(settings_for(chat, url="http://model.invalid/v2", retries=0), data, out, limit=1)
        assert len(chat.asked) == 1


@pytest.mark.parametrize("proxy", ["socks5://me:secret@host:1", "ftp://me:secret@host:1", "http://me:secret@ho st:x"])
def test_a_proxy_that_cannot_be_used_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(InputError, match=r"ALL_PROXY: found [^\n]* expected http://HOST:PORT") as raised:
        ask(EndpointSettings("http://127.0.0.1:9/v1", "m"), data, "test", tmp_path / "p.jsonl", limit=1)
    assert "secret" not in str(raised.value)


# --- The key ----------------------------------------------------------------------------------------------------------

REPEATS: dict[str, Callable[[str], Answer]] = {
    "in an answer": lambda header: Answer(f"You sent {header}"),
    "in an error": lambda header: Answer(f"no such key: {header}".encode(), 400),
    "at the end of what is shown": lambda header: Answer(b"x" * 180 + header.encode(), 400),
    "escaped": lambda header: Answer(json.dumps(header).replace("/", "\\/").encode(), 400),
    "in what is no reply": lambda header: Answer(header.encode()),
    "in a refusal": lambda header: Answer(header.encode(), 401, {"X-Key": header}),
}


@pytest.mark.parametrize("name", REPEATS)
def test_the_key_is_sent_and_never_seen(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    message = ""
    with chat_server(lambda asked: REPEATS[name](asked.headers["Authorization"])) as chat:
        settings = settings_for(chat, api_key_variable="MY_KEY", retries=1, max_failures=2)
        try:
            with caplog.at_level(logging.DEBUG):
                ask(settings, data, "test", tmp_path / "p.jsonl", limit=3)
        except CheckFailed as error:
            message = str(error)
    assert {asked.headers["Authorization"] for asked in chat.asked} == {f"Bearer {KEY}"}
    assert len(lines_of(tmp_path / "p.jsonl")) == 3
    printed = capfd.readouterr()
    for text in (message, caplog.text, printed.out, printed.err, everything_below(tmp_path), repr(settings)):
        assert KEY not in text
        assert KEY[:10] not in text
        assert json.dumps(KEY).replace("/", "\\/").strip('"') not in text


def test_a_placeholder_is_no_secret(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "no")
    with chat_server(lambda asked: Answer("no")) as chat:
        out = ask(settings_for(chat), data, "test", tmp_path / "p.jsonl", limit=1)
    assert lines_of(out)[0]["raw"] == "no"
    assert chat.asked[0].headers["Authorization"] == "Bearer no"


def test_a_key_in_the_query_is_not_shown(data: Path, tmp_path: Path) -> None:
    with chat_server(lambda asked: Answer(b"", 404)) as chat, pytest.raises(CheckFailed) as error:
        ask(settings_for(chat, url=f"{chat.url}?key={KEY}"), data, "test", tmp_path / "p.jsonl")
    assert KEY not in str(error.value) + everything_below(tmp_path)


# --- Wrong usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "localhost:8000/v1"}, "URL: found another kind of address, expected http"),
        ({"url": "ftp://localhost/v1"}, "URL: found another kind of address, expected http"),
        ({"url": "http:///v1"}, "URL: found another kind of address, expected http"),
        ({"url": "http://[::1/v1"}, "URL: found another kind of address, expected http"),
        ({"url": ""}, "URL: found another kind of address, expected http"),
        ({"url": "https://me:secret@host/v1"}, "URL: found a user or password in it"),
        ({"model": " "}, "model: found ' ', expected a name"),
        ({"sample_rate": 0}, "sample rate: found 0, expected 1000 to 192000 Hz"),
        ({"concurrency": 0}, "concurrency: found 0, expected at least 1"),
        ({"retries": -1}, "retries: found -1, expected at least 0"),
        ({"timeout_s": 0}, "timeout: found 0, expected seconds, more than 0"),
        ({"timeout_s": float("nan")}, "timeout: found nan, expected seconds"),
        ({"max_failures": 0}, "max failures: found 0, expected at least 1"),
        ({"max_tokens": 0}, "max tokens: found 0, expected at least 1"),
        ({"extra_body": {"messages": []}}, "--extra-body: found 'messages', expected other parameters"),
        (
            {"extra_body": {"model": "x"}},
            "--extra-body: found 'model', expected other parameters: it is set by --model",
        ),
    ],
)
def test_wrong_settings_say_what_is_wrong(data: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    settings = replace(EndpointSettings("http://127.0.0.1:9/v1", "m"), **changes)
    with pytest.raises(InputError) as error:
        ask(settings, data, "test", tmp_path / "p.jsonl")
    assert message in str(error.value)
    assert "secret" not in str(error.value)


def test_a_key_that_no_header_holds_is_not_shown(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abc\r\nX: y")
    with pytest.raises(InputError, match=r"^OPENAI_API_KEY: found characters") as error:
        ask(EndpointSettings("http://127.0.0.1:9/v1", "m"), data, "test", tmp_path / "p.jsonl")
    assert "sk-abc" not in str(error.value)


def test_predictions_cannot_be_a_folder_nor_the_split_another(data: Path, tmp_path: Path) -> None:
    with chat_server() as chat:
        with pytest.raises(InputError, match="found a folder, expected a file"):
            ask(settings_for(chat), data, "test", tmp_path)
        with pytest.raises(InputError, match="split: found 'train', expected one of: test"):
            ask(settings_for(chat), data, "train", tmp_path / "p.jsonl")
    assert not chat.asked


def test_a_clip_is_what_the_dataset_holds() -> None:
    pcm = np.arange(-300, 300, dtype=np.int16)
    assert base64.b64decode(clip_of(from_pcm16(pcm), 8000, 8000).wav_base64)[44:] == pcm.tobytes()
