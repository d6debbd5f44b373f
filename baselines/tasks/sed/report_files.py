"""What a report on mixtures is about, read from folders and files and checked, and put together as experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from baselines.report.page import Bar
from baselines.tasks.aqa.report_files import HISTORY, MAX_TEXT_BYTES, TEXTS, read_history
from baselines.tasks.sed.folders import runs_in, scored_in
from baselines.tasks.sed.metrics.scores import Results
from baselines.tasks.sed.published import PAPER_ALPHA, TABLE_4, TWO_STEP
from baselines.tasks.sed.results import RESULTS, Config, Figures, SedResultsFile, four, mean, read_sed_results
from clear_gen.core.errors import InputError
from clear_gen.core.files import read_text

LOSSES = "selection_loss", "train_loss"
PRECISIONS = "selection_micro_ap", "selection_macro_ap"
Files = dict[str, SedResultsFile]  # by the paths of the results


@dataclass(frozen=True)
class SedRun:
    """A run or a results file: its scores by path, one record per epoch of training, texts by file name."""

    path: Path
    results: Files
    history: list[dict[str, float]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def read_sed_runs(path: Path) -> list[SedRun]:
    """What there is to report of a run, a results folder, a folder of several of them or a results file.

    Raises InputError if that is nothing, or malformed.
    """
    if not path.is_dir():
        return [SedRun(path, {str(path): read_sed_results(path)})]
    return [_read_run(folder) for folder in runs_in(path) or scored_in(path) or [path]]


def _read_run(folder: Path) -> SedRun:
    results = {str(file): read_sed_results(file) for file in sorted(folder.glob(RESULTS.format("*")))}
    history = read_history(folder / HISTORY, (*LOSSES, *PRECISIONS)) if (folder / HISTORY).exists() else []
    if not results and not history:
        expected = f"{RESULTS.format('<mixtures>-fold<k>')} or {HISTORY}"
        raise InputError(f"{folder}: found nothing to report, expected {expected}; run clear-bench evaluate")
    there = [name for name in TEXTS if (folder / name).exists()]
    texts = {name: read_text(folder / name, MAX_TEXT_BYTES, "a configuration") for name in there}
    return SedRun(folder, results, history, texts)


# --- experiments ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Experiment:
    """Results of one model with the same settings on the same mixtures: folds, or seeds, to be averaged."""

    name: str
    files: Files

    @property
    def config(self) -> Config:
        """That of the first fold, of which the others differ in folds and seed."""
        return next(iter(self.files.values())).config

    @property
    def snr(self) -> str:
        """For people."""
        return self.config.mixtures if self.config.snr_db is None else f"{self.config.snr_db:g} dB"

    @property
    def n_folds(self) -> int:
        """How many folds were held out."""
        return len({file.config.test for file in self.files.values()})

    @property
    def has_paper_alpha(self) -> bool:
        """Whether the weight of the reconstruction is that of the paper's Table IV, or there is none."""
        return self.config.model != TWO_STEP or self.config.alpha in (None, PAPER_ALPHA)

    @property
    def name_with_alpha(self) -> str:
        """The name, which says the weight of the reconstruction also where it is the published one."""
        alpha = self.config.alpha
        if alpha != PAPER_ALPHA:
            return self.name
        return self.name.replace(TWO_STEP, f"{TWO_STEP}, α {alpha:g}", 1)

    def figures(self, of: Callable[[Results], Figures]) -> list[Figures]:
        """Figures of every fold."""
        return [of(file.scores) for file in self.files.values()]


def experiments(files: Files) -> list[Experiment]:
    """All results, put together: models in the paper's order, the highest SNR first."""
    data = {file.hashes.data: Path(file.config.data).name for file in files.values()}
    grouped: dict[tuple[str, str], Files] = {}
    for path, file in files.items():
        of_data = [data[file.hashes.data]] if len(data) > 1 else []
        name = ", ".join([_variant(file.config), *of_data])
        grouped.setdefault((name, file.config.mixtures), {})[path] = file
    found = [Experiment(name, of_name) for (name, _), of_name in grouped.items()]
    order = {model: place for place, model in enumerate(TABLE_4)}
    return sorted(found, key=lambda one: (order.get(one.config.model, 99), one.name, -(one.config.snr_db or 0)))


def _variant(config: Config) -> str:
    """A model and its settings, where they are not the published ones."""
    options = [f"{name} {value}" for name, value in config.options.items()]
    is_other = config.model == TWO_STEP and config.alpha not in (None, PAPER_ALPHA)
    alpha = [f"α {config.alpha:g}"] if is_other else []
    return ", ".join([config.model, *alpha, *options, *["selected on test"] * config.select_on_test])


def bar_of(values: Sequence[float | None], paper: float | None = None) -> Bar | None:
    """The mean over some folds between the lowest and the highest; None where there is nothing to average."""
    known = [value for value in values if value is not None]
    if (middle := mean(known)) is None:
        return None
    words = f"{four(middle)}, from {four(min(known))} to {four(max(known))}"
    return Bar(middle, min(known), max(known), words, four(middle), paper)
