"""The built wheel, in a clean environment away from the checkout, does the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.mark.wheel
def test_the_wheel_makes_the_demo_dataset_away_from_the_checkout(tmp_path: Path) -> None:
    def run(*command: str | Path) -> str:
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", CHECKOUT)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(python, "-m", "pip", "install", "-q", "-c", CHECKOUT / "constraints.txt", f"{wheel}[figures]")
    clear_gen = tmp_path / "env/bin/clear-gen"
    assert "train 70, validation 15, test 15 scenes" in run(clear_gen, "scenes", "--n", "100", "--out", "demo")
    run(clear_gen, "show", "demo", "--out", "scene.png")
    assert (tmp_path / "scene.png").stat().st_size > 10_000
    run(clear_gen, "bank", "show", "demo/bank/train.parquet", "--out", "sounds.html")
    run(clear_gen, "explore", "demo", "--export", "page", "--limit", "2")
    assert "app.js" in {path.name for path in (tmp_path / "page").iterdir()}
    where = run(python, "-c", "import clear_gen; print(clear_gen.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path / "env")
    count = "import clear_gen; print(sum(1 for _ in clear_gen.open_dataset('demo').scenes('train')))"
    assert run(python, "-c", count).strip() == "70"
