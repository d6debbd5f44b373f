"""Predicts with any OpenAI-compatible chat endpoint that accepts ``input_audio``: ``clear-bench evaluate --endpoint``.

Every question is a separate request: the scene as a mono PCM 16 WAV, then the question with the possible answers of its
type, the same for every model. Replies are cached, those without an answer (a refusal, a content filter) too, so a
repeated call sends only missing requests. Protocol: https://platform.openai.com/docs/guides/audio
"""

from __future__ import annotations

import base64
import hashlib
import logging
import math
import wave
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from baselines.core.predictions import Prediction
from baselines.predictors.endpoint_cache import cache_key, keep_answer, read_answer
from baselines.predictors.endpoint_client import Client, address_of
from baselines.predictors.endpoint_parameters import Parameters
from baselines.predictors.endpoint_reply import LENGTH, Reply
from baselines.tasks.aqa.questions import Questions
from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.core.pcm import to_pcm16
from clear_gen.core.progress import progress
from clear_gen.datasets.scenes.load import load_scenes
from clear_gen.dsp.resample import resampled
from clear_gen.questions.language.vocabulary import answers_of_type
from clear_gen.scenes.domain import Domain

log = logging.getLogger(__name__)

# The prompt sent to every model. The answers are all those of the question's type, in the domain's order.
PROMPT = """\
Listen to the recording and answer the question about it.
Question: {question}
Possible answers: {answers}
Answer with one of them, nothing else."""
TEMPERATURE = 0
MAX_TOKENS = 32  # the longest answer of clear2, "beginning of the scene", has four or five
RESERVED = {"model": "--model", "messages": "clear-bench", "stream": "clear-bench"}
WINDOW = 2  # questions in memory per request in flight
SAMPLE_RATES = (1000, 192_000)  # Hz


@dataclass(frozen=True)
class EndpointSettings:
    """Address of the endpoint and request settings.

    ``url``: with or without ``/chat/completions``. ``sample_rate``: of the WAV, in Hz. ``concurrency``: concurrent
    requests. ``retries``: attempts after the first. ``timeout_s``: total time of one attempt, in seconds.
    ``max_failures``: number of unanswered questions that ends the run. ``api_key_variable``: the environment
    variable that holds the API key; no key is sent without one. ``max_tokens``: of a reply. ``extra_body``: further
    parameters of every request, which take precedence; like ``max_tokens``, part of what a cached reply answers.
    """

    url: str
    model: str
    sample_rate: int = 16000
    concurrency: int = 4
    retries: int = 4
    timeout_s: float = 60
    max_failures: int = 10
    api_key_variable: str = "OPENAI_API_KEY"
    max_tokens: int = MAX_TOKENS
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """The optional parameters of a request, before a server refuses one."""
        limit = {} if "max_completion_tokens" in self.extra_body else {"max_tokens": self.max_tokens}
        return {"temperature": TEMPERATURE, **limit, **self.extra_body}


@dataclass(frozen=True)
class Clip:
    """The recording of a scene as it is sent: a WAV file in base64, and the SHA-256 of its bytes."""

    wav_base64: str
    sha256: str


@dataclass(frozen=True)
class Job:
    """The ``index``-th question of the split and the recording that it is about."""

    index: int
    prompt: str
    clip: Clip


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as a predictor. ``cache``: folder of replies, so that a repeated run sends only missing requests."""

    settings: EndpointSettings
    cache: Path

    def __post_init__(self) -> None:
        """Raises InputError if a setting is invalid."""
        _check(self.settings)

    @property
    def name(self) -> str:
        """Of the model."""
        return self.settings.model

    def predict(self, split: Questions) -> Iterator[Prediction]:
        """Yield the answers in the dataset's order, once all have arrived.

        Values are ``raw``, the model's text, and ``answer``, the same without surrounding whitespace; or ``answer``
        None, with ``cause`` where the model gave none, or ``error`` where there is no reply.

        Raises InputError if address, key or dataset are wrong. Raises CheckFailed, after the last prediction, if the
        endpoint refuses the address, the key or the model, ``max_failures`` questions failed, or all of them did.
        """
        settings = self.settings
        parameters = Parameters(address_of(settings.url), settings.parameters)
        client = Client(settings.url, settings.api_key_variable, settings.timeout_s, settings.retries, parameters)
        n = len(split)
        replies: list[Reply | None] = [None] * n
        failed: list[str] = []
        reason = None
        jobs = _jobs(split, settings.sample_rate)
        arriving = _arriving(
            jobs, lambda job: _reply(job, settings, client, self.cache), settings.concurrency, client.stop
        )
        with progress(n, n, "questions asked") as advance, closing(arriving):
            for index, reply in arriving:
                replies[index] = reply
                advance(1)
                failed += [reply.error] if reply.error is not None else []
                if reason := _reason_to_stop(reply, failed, settings):
                    break
        for question_id, one in zip(split.item_ids, replies, strict=True):
            yield Prediction(question_id, _values(one, reason))
        if failed and len(failed) == n and not reason:
            reason = f"{address_of(settings.url)}: none of {n} questions was answered, the first with: {failed[0]}"
        if reason:
            raise CheckFailed(f"{reason}; run again to ask the others")
        _note(replies, failed)

    def about(self, split: Questions) -> Mapping[str, Any]:
        """What the results say about the requests: the parameters that were asked for."""
        return {"request": {"sample_rate": self.settings.sample_rate, **self.settings.parameters}}


def _note(replies: Sequence[Reply | None], failed: Sequence[str]) -> None:
    """Log how many questions have no answer yet, and how many replies the limit of tokens cut off before one."""
    n = len(replies)
    if failed:
        log.warning("%d of %d questions have no answer (%s); run again to ask them", len(failed), n, failed[0])
    if n_cut := sum(reply is not None and reply.cause == LENGTH for reply in replies):
        log.warning("%d of %d replies were cut off before an answer; --max-tokens raises the limit", n_cut, n)


def _values(reply: Reply | None, reason: str | None) -> dict[str, str | None]:
    """The values of a prediction; ``reason``: why some questions were not sent."""
    if reply is None:
        return {"answer": None, "error": f"not asked, because of: {reason}"}
    if reply.error is not None:
        return {"answer": None, "error": reply.error}
    if reply.text is None or reply.cause is not None:
        return {"answer": None, "raw": reply.text, "cause": reply.cause}
    return {"answer": reply.text.strip(), "raw": reply.text}


def _check(settings: EndpointSettings) -> None:
    """Raise InputError if a setting is invalid."""
    low, high = SAMPLE_RATES
    limits: list[tuple[str, Any, bool, str]] = [
        ("model", settings.model, bool(settings.model.strip()), "a name"),
        ("sample rate", settings.sample_rate, low <= settings.sample_rate <= high, f"{low} to {high} Hz"),
        ("concurrency", settings.concurrency, settings.concurrency >= 1, "at least 1"),
        ("retries", settings.retries, settings.retries >= 0, "at least 0"),
        ("timeout", settings.timeout_s, 0 < settings.timeout_s < math.inf, "seconds, more than 0"),
        ("max failures", settings.max_failures, settings.max_failures >= 1, "at least 1"),
        ("max tokens", settings.max_tokens, settings.max_tokens >= 1, "at least 1"),
    ]
    for name, found, is_valid, expected in limits:
        if not is_valid:
            raise InputError(f"endpoint: {name}: found {found!r}, expected {expected}")
    for name in settings.extra_body:
        if name in RESERVED:
            raise InputError(f"--extra-body: found {name!r}, expected other parameters: it is set by {RESERVED[name]}")


def _reason_to_stop(reply: Reply, failed: list[str], settings: EndpointSettings) -> str | None:
    """The reason to send no more questions after this reply, or None."""
    if reply.is_fatal:
        return reply.error
    if reply.error is not None and len(failed) >= settings.max_failures:
        return f"{address_of(settings.url)}: {len(failed)} questions failed, the first with: {failed[0]}"
    return None


# --- requests ---------------------------------------------------------------------------------------------------------


def prompt_of(question: str, question_type: str, domain: Domain) -> str:
    """The text sent with the recording."""
    return PROMPT.format(question=question, answers=", ".join(answers_of_type(question_type, domain)))


def clip_of(waveform: np.ndarray, from_rate: int, to_rate: int) -> Clip:
    """float32 [n] at ``from_rate`` Hz, full scale 1 -> a mono PCM 16 WAV at ``to_rate`` Hz."""
    pcm = to_pcm16(resampled(waveform, from_rate, to_rate))
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(to_rate)
        file.writeframes(pcm.tobytes())
    wav = buffer.getvalue()
    return Clip(base64.b64encode(wav).decode(), hashlib.sha256(wav).hexdigest())


def _jobs(questions: Questions, sample_rate: int) -> Iterator[Job]:
    """The questions, scene by scene; a scene's recording is encoded once."""
    of_scene = defaultdict(list)
    for index, scene in enumerate(questions.scene.tolist()):
        of_scene[scene].append(index)
    for scene, waveform, rate in _waveforms(questions.folder, questions.split, set(of_scene)):
        clip = clip_of(waveform, rate, sample_rate)
        for index in of_scene[scene]:
            prompt = prompt_of(questions.question[index], questions.question_type[index], questions.domain)
            yield Job(index, prompt, clip)


def _waveforms(folder: Path, split: str, wanted: set[int]) -> Iterator[tuple[int, np.ndarray, int]]:
    """The wanted scenes: index in the split, float32 [n_samples], sample rate in Hz; without audio, rendered now."""
    scenes = load_scenes(folder, split)
    for index in sorted(wanted):
        scene = scenes[index]
        yield index, scene.waveform, scene.sample_rate


# --- replies ----------------------------------------------------------------------------------------------------------


def _reply(job: Job, settings: EndpointSettings, client: Client, cache: Path) -> Reply:
    """The reply to one question, from the cache if present."""
    asked = {
        "url": client.url,
        "model": settings.model,
        "prompt": job.prompt,
        "wav_sha256": job.clip.sha256,
        "sample_rate": settings.sample_rate,
        "temperature": TEMPERATURE,
        "max_tokens": settings.max_tokens,
    } | ({"extra_body": dict(settings.extra_body)} if settings.extra_body else {})
    key = cache_key(asked)
    kept = read_answer(cache, key)
    if kept is not None:
        return kept
    audio = {"type": "input_audio", "input_audio": {"data": job.clip.wav_base64, "format": "wav"}}
    message = {"role": "user", "content": [audio, {"type": "text", "text": job.prompt}]}
    body = {"model": settings.model, "messages": [message]}
    reply = client.complete(body, np.random.default_rng(int(key[:16], 16)))
    if reply.error is None:
        keep_answer(cache, key, reply)
    return reply


def _arriving(
    jobs: Iterator[Job], reply_to: Callable[[Job], Reply], concurrency: int, stop: Callable[[], None]
) -> Generator[tuple[int, Reply]]:
    """Replies as they arrive, with question indices. Reads a few jobs ahead; closing the generator cancels all."""
    pool = ThreadPoolExecutor(concurrency)
    pending: dict[Future[Reply], int] = {}
    try:
        for job in jobs:
            pending[pool.submit(reply_to, job)] = job.index
            if len(pending) >= WINDOW * concurrency:
                yield from _done(pending)
        while pending:
            yield from _done(pending)
    finally:
        stop()
        pool.shutdown(cancel_futures=True)


def _done(pending: dict[Future[Reply], int]) -> Iterator[tuple[int, Reply]]:
    """Wait for some of ``pending`` to complete and remove them."""
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        yield pending.pop(future), future.result()
