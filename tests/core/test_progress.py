"""Progress: the same words on a terminal and in a log, where nothing is silent for long."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import pytest

from clear_gen.core import progress as module
from clear_gen.core.progress import busy, counted, noted_progress, progress


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """The log of a command, whose lines follow each other in hundredths of a second."""
    caplog.set_level(logging.INFO, "clear_gen")
    monkeypatch.setattr(module, "FIRST_S", 0.02)
    monkeypatch.setattr(module, "LOG_S", 0.02)
    return caplog


def _until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_log_gets_lines_also_while_nothing_is_counted_and_one_at_the_end(log: pytest.LogCaptureFixture) -> None:
    with progress(1500, 1501, "scenes") as advance:
        _until(lambda: len(log.messages) > 1)
        assert set(log.messages) == {"scenes 1/1,501"}
        advance(400)
        _until(lambda: log.messages[-1].startswith("scenes 401/1,501, "))
        assert log.messages[-1].endswith(" left")
        assert "/s, " in log.messages[-1]
        advance(1100)
    assert log.messages[-1].startswith("scenes 1,501/1,501 in ")
    n = len(log.messages)
    time.sleep(0.1)
    assert len(log.messages) == n


def test_lines_wait_for_their_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clear_gen")
    with progress(2, 2, "scenes") as advance:
        advance(2)
    with noted_progress(2, 2, "epoch 1: questions") as advance_noted:
        advance_noted(2, "loss 0.5")
    assert list(counted("ab", "letters")) == ["a", "b"]
    with busy("reading"):
        pass
    assert caplog.messages == ["scenes 2/2 in 0 s"]


def test_a_stage_shows_its_note(log: pytest.LogCaptureFixture) -> None:
    with noted_progress(8, 8, "epoch 1: questions") as advance:
        advance(2, "loss 0.5")
        advance(2, None)
        _until(lambda: any(", loss 0.5" in line for line in log.messages))


def test_what_cannot_be_counted_is_named_with_its_time(log: pytest.LogCaptureFixture) -> None:
    with busy("reading the banks"):
        _until(lambda: bool(log.messages))
    assert log.messages[0].startswith("reading the banks, 0")


def test_an_error_ends_the_lines(log: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        for _ in counted("ab", "letters"):
            raise KeyError

    with pytest.raises(KeyError):
        work()
    n = len(log.messages)
    time.sleep(0.1)
    assert len(log.messages) == n


def test_without_a_command_line_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1, 1, "scenes") as advance:
        advance(1)
    assert capsys.readouterr().err == ""


def test_a_bar_says_what_it_counts(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with busy("reading"), progress(2, 2, "hidden scenes"):
        pass  # a terminal has room for one of them
    assert "hidden" not in capsys.readouterr().err
    with progress(2, 4, "scenes") as advance:
        advance(2)
    assert "scenes 4/4 in 0 s" in capsys.readouterr().err
    assert log.messages == []
