"""What a run on mixtures looks like on the Hub."""

from __future__ import annotations

from pathlib import Path

from baselines.core.publish import run_shipment
from baselines.core.results import read_results
from baselines.tasks.registry import TASKS
from baselines.tasks.sed.results import SedResults


def test_the_card_of_a_run_on_mixtures(sed_folds: Path) -> None:
    name = "results-mixtures-snr0-fold1.json"
    scores = read_results(sed_folds / "fold-1" / name, SedResults).scores
    with run_shipment(sed_folds / "fold-1", TASKS["sed"]) as shipment:
        card = (shipment.folder / "README.md").read_text()
        assert {"model.safetensors", "config.yaml", "features.json", name} <= set(shipment.hashes)
        for text in (card, *((shipment.folder / name).read_text() for name in ("config.yaml", name))):
            assert str(sed_folds.parent) not in text
        assert read_results(shipment.folder / name, SedResults).scores == scores
    assert "sound-event-detection" in card
    assert "# 2apae\n\nTrained on mixtures by" in card
    assert "6 clips of fold 1; rate, epoch and thresholds were chosen on fold 2." in card
    assert f"| micro-AP | {scores.clip.micro_ap:.4f} |" in card
    dog = scores.clip.by_class["dog"]
    assert f"| dog | {dog.n_clips} | {dog.ap:.4f} |" in card
    assert "| PSDS dcase2020 |" in card
