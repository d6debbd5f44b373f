"""The report: one self-contained HTML page about a set of runs, grouped by task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baselines.report.page import configuration, paragraph, report_page, section
from baselines.report.runs import ReportedRun, read_runs, training
from baselines.tasks.registry import TASKS
from clear_gen.core.files import write_text


def write_report(paths: Sequence[Path], out: Path) -> None:
    """Write a self-contained page about runs, folders of runs, results folders and results files, atomically.

    Nothing is fetched or run when the page is opened, and every text from outside is escaped.

    Raises InputError if there is nothing to report in one of ``paths``, or something in it is malformed.
    """
    write_text(out, page([run for path in paths for run in read_runs(path, TASKS)]))


def page(runs: Sequence[ReportedRun]) -> str:
    """The page as text: per task the scores of all its runs, then how each was trained and with which choices."""
    sections, titles, notes = [], [], []
    for name, task in TASKS.items():
        if not (of_task := [run for run in runs if run.task == name]):
            continue
        if lines := [line for run in of_task for line in run.interrupted]:
            sections.append(
                section("Interrupted training", "These scores and curves are no final ones.", *map(paragraph, lines))
            )
        files = [file for run in of_task for file in run.results.values()]
        sections += task.sections(of_task) if files else []
        for run in of_task:
            sections += [training(run, task.panels, task.objective, task.percent)] if run.history else []
            sections += [configuration(run.path, run.texts)] if run.texts else []
        models = dict.fromkeys(file.config.model for file in files) or [str(run.path) for run in of_task]
        titles.append(f"{task.title.capitalize()}: {', '.join(models)}")
        notes.append(task.report_note)
    return report_page("; ".join(titles), " ".join(notes), sections)
