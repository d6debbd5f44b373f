"""Progress where stderr is no terminal: a line now and then, the bar of a command at its end, nothing of a stage."""

from __future__ import annotations

import pytest

from clear_gen.core import progress as module
from clear_gen.core.progress import noted_progress, progress


@pytest.mark.parametrize(("wait_s", "n_lines"), [(-1.0, 3), (1000.0, 0)])
def test_a_log_gets_a_line_now_and_then(
    wait_s: float, n_lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "LOG_S", wait_s)
    with progress(3, 4, "clips") as advance:
        for _ in range(3):
            advance(1)
    lines = [line for line in capsys.readouterr().err.splitlines() if " of 4" in line]
    assert len(lines) == n_lines
    assert not lines or lines[0].startswith("clips: 2 of 4")


def test_a_stage_shows_its_note_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with noted_progress(8, 8, "epoch 1") as advance:
        advance(8, "loss 0.5")
    assert capsys.readouterr().err.strip() == ""
    monkeypatch.setattr(module, "LOG_S", -1.0)
    with noted_progress(8, 8, "epoch 1") as advance:
        advance(2, "loss 0.5")
        advance(2, None)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[:2] for line in lines if line.strip()] == [
        ["epoch 1: 2 of 8", "loss 0.5"],
        ["epoch 1: 4 of 8", "loss 0.5"],
    ]
    with noted_progress(8, 8, "epoch 1", shown=False) as advance:
        advance(8, "loss 0.5")
    assert capsys.readouterr().err == ""
