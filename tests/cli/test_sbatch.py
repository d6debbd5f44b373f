"""The SLURM example, run as the tasks of an array without SLURM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.sounds.bank import write_bank
from tests.banks import tone_bank

SCRIPT = Path(__file__).parents[2] / "docs/clear-gen.sbatch"


def test_two_tasks_of_an_array_make_what_one_process_makes(tmp_path: Path) -> None:
    write_bank(tone_bank(40, 8000), tmp_path / "bank.parquet")
    command = ["scenes", "--n", "20", "--splits", "0.5,0.5,0", "--no-audio", "--bank", str(tmp_path / "bank.parquet")]
    assert run([*command, "--workers", "1", "--out", str(tmp_path / "one")]) == DONE
    (tmp_path / "clear-gen").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m clear_gen "$@"\n')
    (tmp_path / "clear-gen").chmod(0o755)
    said = []
    for index in ("1", "2"):
        array = {"ID": index, "COUNT": "2", "MIN": "1", "MAX": "2", "STEP": "1"}
        environment = {
            **os.environ,
            **{f"SLURM_ARRAY_TASK_{name}": value for name, value in array.items()},
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(SCRIPT.parents[1]),
        }
        task = ["bash", str(SCRIPT), *command, "--out", str(tmp_path / "two")]
        said.append(subprocess.run(task, env=environment, capture_output=True, text=True, check=True).stdout)
    assert "this shard is done, others are not" in said[0]
    assert "train 10, validation 10" in said[1]
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(names) == 5
    for name in names:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
