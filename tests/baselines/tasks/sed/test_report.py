"""The report on mixtures: the paper's tables beside ours, means over folds, curves; texts from outside are escaped."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines.cli import run
from baselines.core.results import read_results, results_json
from baselines.report.runs import ReportedRun, read_runs
from baselines.tasks.registry import TASKS
from baselines.tasks.reporting import page
from baselines.tasks.sed.experiments import experiments
from baselines.tasks.sed.published import TABLE_4, TABLE_5
from baselines.tasks.sed.results import ON_TEST, SedResults
from clear_gen.cli.common import DONE, WRONG_INPUT
from clear_gen.core.errors import InputError
from tests.baselines.tasks.aqa.test_report import HOSTILE, Page
from tests.baselines.tasks.sed.runs import EPOCHS


def results_of(folder: Path, fold: int) -> SedResults:
    return read_results(folder / f"fold-{fold}/results-mixtures-snr0-fold{fold}.json", SedResults)


def changed(file: SedResults, **config: Any) -> SedResults:
    return file.model_copy(update={"config": file.config.model_copy(update=config)})


def runs_of(path: Path) -> list[ReportedRun]:
    return read_runs(path, TASKS)


def rows_of(text: str) -> list[list[str]]:
    """The rows of all tables, cell by cell."""
    rows = re.findall(r"<tr.*?</tr>", text, re.DOTALL)
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def row_of(text: str, name: str) -> list[str]:
    return next(row for row in rows_of(text) if row[0] == name)


def test_tables_of_the_paper_beside_the_mean_over_folds(sed_folds: Path) -> None:
    files = [results_of(sed_folds, fold) for fold in (1, 2, 3)]
    text = page(runs_of(sed_folds))
    clip = [file.scores.clip for file in files]
    means = [np.mean([getattr(one, name) for one in clip]) for name in ("micro_ap", "macro_ap", "macro_auc")]
    paper = TABLE_4["2apae"][0.0][:3]
    cells = [f"{mean:.4f} ({printed:.4f})" for mean, printed in zip(means, paper, strict=True)]
    assert row_of(text, "model") == ["model", "folds", "0 dB micro-AP", "0 dB macro-AP", "0 dB AUC"]
    assert row_of(text, "2apae, width 0.0625") == ["2apae, width 0.0625", "3", *cells]
    assert row_of(text, "2apae, α 0.001, width 0.0625")[1:] == ["3", *cells]
    assert row_of(text, "gap") == ["gap", "–", "– (0.3295)", "– (0.4093)", "– (0.8694)"]
    assert row_of(text, "2apae, α 0.01")[2:] == [f"– ({figure:.4f})" for figure in TABLE_5[0.01][0.0][:3]]
    assert row_of(text, "mean")[2:4] == [f"{mean:.4f}" for mean in means[:2]]
    assert [row[0] for row in rows_of(text) if row[0] in ("bell", "dog", "horn")] == ["bell", "dog", "horn"]
    dog = [one.by_class["dog"] for one in clip]
    assert row_of(text, "dog")[1:3] == [str(sum(one.n_clips for one in dog)), f"{np.mean([one.ap for one in dog]):.4f}"]


def test_axes_tables_and_notes_are_all_fractions(sed_folds: Path) -> None:
    text = page(runs_of(sed_folds))
    assert text.count("<polyline") == 12
    assert not re.findall(r"\d %(?! of the length)", text)  # of an offset's collar, in a column's name
    assert re.findall(r'class="tick"[^>]*>(0\.25|0\.75|1)<', text).count("0.75") >= 3 + 1  # curves, bars


def test_the_misprint_is_marked(sed_folds: Path) -> None:
    file = changed(results_of(sed_folds, 1), model="gap", snr_db=10.0, options={})
    text = page([ReportedRun(Path("run"), "sed", {"results.json": file})])
    assert row_of(text, "gap")[-1].endswith("(0.5390 sic)")
    assert "2APAE beside Table V" not in text


def test_what_differs_is_not_averaged(sed_folds: Path) -> None:
    first, second = results_of(sed_folds, 1), results_of(sed_folds, 2)
    others = {
        "seed": changed(second, seed=7),
        "snr": changed(second, mixtures="mixtures-snr20", snr_db=20.0),
        "alpha": changed(second, alpha=0.0),
        "options": changed(second, options={}),
        "test": changed(second, select_on_test=True),
        "drawn": changed(second, mixtures="mixtures", snr_db=None),
    }
    found = experiments({"first": first, **others})
    grouped = {frozenset(one.files) for one in found}
    assert grouped == {frozenset({"first", "seed"}), *(frozenset({name}) for name in [*others][1:])}
    text = page([ReportedRun(Path("run"), "sed", {"first": first, **others})])
    assert row_of(text, "2apae, width 0.0625")[1] == "1, 2, 1"
    assert row_of(text, "model")[2::3] == ["20 dB micro-AP", "0 dB micro-AP", "mixtures micro-AP"]
    assert f"{ON_TEST[0].upper()}{ON_TEST[1:]}." in Page(text).texts
    assert "selected on the held-out fold itself" not in page([ReportedRun(Path("run"), "sed", {"first": first})])


def test_page_holds_everything_and_fetches_nothing(sed_folds: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sed_folds, tmp_path / "folds")
    assert run(["report", str(copy), "--out", str(tmp_path / "report.html")]) == DONE
    text = (tmp_path / "report.html").read_text()
    read = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {*read.tags}
    assert not re.search(r"https?://|url\(|@import", text)
    assert read.tags.count("polyline") == 3 * 4
    best = max(row["selection_micro_ap"] for row in EPOCHS)
    assert f"3 epochs; the highest selection micro-AP, {best:.4f}, in epoch 2." in read.texts
    assert any("select_on_test: false" in one for one in read.texts)  # the configuration
    assert results_of(sed_folds, 1).hashes.weights in read.texts
    for table in re.findall(r"<table>(.*?)</table>", text, re.DOTALL):
        head, *rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        n = head.count('<th scope="col"')
        assert all(row.count('<th scope="row">') == 1 and row.count("<td") == n - 1 for row in rows)


def test_page_escapes_every_text(sed_folds: Path) -> None:
    stored = json.loads(results_json(results_of(sed_folds, 1)).replace('"dog"', json.dumps(HOSTILE)))
    stored = {name: stored[name] for name in SedResults.model_fields}
    file = changed(
        SedResults.model_validate_json(json.dumps(stored)), model=HOSTILE, options={HOSTILE: HOSTILE}, data=HOSTILE
    )
    text = page([ReportedRun(Path(HOSTILE), "sed", {HOSTILE: file}, [], {HOSTILE: HOSTILE})])
    read = Page(text)
    assert not {"script", "img"} & {*read.tags}
    assert not [name for name, _ in read.values if name.startswith("on")]
    assert sum(HOSTILE in one for one in read.texts) >= 10
    assert f"Sound event detection: {HOSTILE}" in read.texts
    assert row_of(text, "bell")[0] == "bell"


def test_a_folder_of_results_is_that_of_the_runs(sed_folds: Path, tmp_path: Path) -> None:
    assert run(["evaluate", str(sed_folds), "--out", str(tmp_path / "scored")]) == DONE
    assert run(["report", str(tmp_path / "scored"), "--out", str(tmp_path / "report.html")]) == DONE
    found = [one for read in runs_of(tmp_path / "scored") for one in read.results.values()]
    of_runs = [one for read in runs_of(sed_folds) for one in read.results.values()]
    assert [(one.config.test, one.scores) for one in found] == [(one.config.test, one.scores) for one in of_runs]


def test_results_of_predictions_and_files(sed_folds: Path, sed_data: Path, tmp_path: Path) -> None:
    predictions = sed_folds / "fold-1/predictions-mixtures-snr0-fold1.jsonl"
    plain = tmp_path / "mine.jsonl"
    rows = [json.loads(line) for line in predictions.read_text().splitlines()]
    plain.write_text("\n".join(json.dumps({**row, "events": []}) for row in rows))
    assert run(["evaluate", "--predictions", str(plain), "--data", str(sed_data), "--split", "fold1"]) == DONE
    command = ["report", str(tmp_path / "mine-results"), "--out", str(tmp_path / "a.html")]
    assert run([*command, str(sed_folds / "fold-2/results-mixtures-snr0-fold2.json")]) == DONE
    text = (tmp_path / "a.html").read_text()
    assert row_of(text, "mine")[1] == "1"
    assert "Nothing was chosen: thresholds are 0.5." in Page(text).texts


def test_what_cannot_be_reported(
    sed_folds: Path, sed_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(sed_folds / "fold-1", tmp_path / "run", ignore=shutil.ignore_patterns("results*"))
    assert Page(page(runs_of(folder))).tags.count("polyline") == 4  # of training alone
    history = folder / "metrics.jsonl"
    history.write_text(history.read_text().replace("0.625", "1.625"))
    with pytest.raises(InputError, match=r"metrics.jsonl:2: selection_micro_ap: found 1.625, expected .* to 1$"):
        runs_of(folder)
    history.unlink()
    with pytest.raises(InputError, match="found nothing to report, expected results-"):
        runs_of(folder)
    (tmp_path / "empty").mkdir()
    assert run(["report", str(sed_folds), str(tmp_path / "empty")]) == WRONG_INPUT
    assert "empty: found nothing to report" in capsys.readouterr().err
