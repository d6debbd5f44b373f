"""Groups results on mixtures into experiments: folds and seeds of one model with the same settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines.report.page import Bar
from baselines.tasks.sed.metrics.scores import Results
from baselines.tasks.sed.published import PAPER_ALPHA, TABLE_4, TWO_STEP
from baselines.tasks.sed.results import Figures, SedConfig, SedResults, four, mean

Files = dict[str, SedResults]  # by the paths of the results


@dataclass(frozen=True)
class Experiment:
    """Results of one model with the same settings on the same mixtures: folds, or seeds, to be averaged."""

    name: str
    files: Files

    @property
    def config(self) -> SedConfig:
        """Configuration of the first fold; the others differ only in folds and seed."""
        return next(iter(self.files.values())).config

    @property
    def snr(self) -> str:
        """For people."""
        return self.config.mixtures if self.config.snr_db is None else f"{self.config.snr_db:g} dB"

    @property
    def n_folds(self) -> int:
        """Number of held-out folds."""
        return len({file.config.test for file in self.files.values()})

    @property
    def has_paper_alpha(self) -> bool:
        """Whether the reconstruction weight is that of the paper's Table IV, or the model has none."""
        return self.config.model != TWO_STEP or self.config.alpha in (None, PAPER_ALPHA)

    @property
    def name_with_alpha(self) -> str:
        """The name, including the reconstruction weight even where it is the published one."""
        alpha = self.config.alpha
        if alpha != PAPER_ALPHA:
            return self.name
        return self.name.replace(TWO_STEP, f"{TWO_STEP}, α {alpha:g}", 1)

    def figures(self, of: Callable[[Results], Figures]) -> list[Figures]:
        """Scores of every fold."""
        return [of(file.scores) for file in self.files.values()]


def experiments(files: Files) -> list[Experiment]:
    """Results grouped into experiments: models in the paper's order, the highest SNR first."""
    data = {file.hashes.data: Path(file.config.data).name for file in files.values()}
    grouped: dict[tuple[str, str], Files] = {}
    for path, file in files.items():
        of_data = [data[file.hashes.data]] if len(data) > 1 else []
        name = ", ".join([_variant(file.config), *of_data])
        grouped.setdefault((name, file.config.mixtures), {})[path] = file
    found = [Experiment(name, of_name) for (name, _), of_name in grouped.items()]
    order = {model: place for place, model in enumerate(TABLE_4)}
    return sorted(found, key=lambda one: (order.get(one.config.model, 99), one.name, -(one.config.snr_db or 0)))


def _variant(config: SedConfig) -> str:
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
