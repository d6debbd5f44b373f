"""What is missing or wrong in a copy of a corpus, against what is published about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import soundfile

from clear_gen.core.errors import InputError, first_line
from clear_gen.core.progress import counted
from clear_gen.core.text import shown, table
from clear_gen.mixtures.recordings.corpora import corpus_named, corpus_parts
from clear_gen.mixtures.recordings.corpus import PROBLEMS, UNSTATED, Corpus, Form, Part, Problem
from clear_gen.sounds.files import read_audio

SHOWN_PROBLEMS = 10  # of one kind
TOLERANCE_S = 0.05  # of a recording's length: some copies were cut a few samples longer


@dataclass(frozen=True)
class CorpusReport:
    """``counts``: what, found, published. ``problems``: in the order of ``PROBLEMS``; none if all is well."""

    corpus: Corpus
    folder: Path
    counts: tuple[tuple[str, int, int], ...]
    problems: tuple[Problem, ...]


def check_corpus(name: str, folder: Path, *, decode: bool = False) -> CorpusReport:
    """Compare the copy in ``folder`` with what is published: folders, tables, names, labels, counts, folds, recordings.

    Of the recordings the headers are read; with ``decode`` every sample. Hidden files are not seen. Raises InputError
    if there is no corpus of that name or no such folder; whatever else is wrong is in the report.
    """
    corpus = corpus_named(name)
    parts = corpus_parts(corpus, folder)
    problems: list[Problem] = []
    counts: dict[str, int] = {}
    for part in parts:
        problems += part.problems
        counts |= _counts(part, corpus)
        problems += _recordings(part, corpus.form, counts, decode)
    if corpus.check_folds and parts[0].clips:
        wrong, sizes = corpus.check_folds(corpus, folder, parts[0])
        problems += wrong
        counts |= sizes
    figures = [(what, counts[what], number) for what, number in corpus.figures.items() if what in counts]
    problems += [
        Problem("count", f"{folder}: {what}: found {found:,}, expected {number:,}")
        for what, found, number in figures
        if found != number and not what.endswith("recordings")  # every one that is missing was named
    ]
    problems.sort(key=lambda problem: PROBLEMS.index(problem.kind))
    return CorpusReport(corpus, folder, tuple(figures), tuple(problems))


def described(report: CorpusReport) -> str:
    """A report as text: the table of counts, the problems, and under which licence the corpus is."""
    lines = [f"{report.corpus.title}: {report.folder}"]
    rows = [[what, f"{found:,}", f"{number:,}"] for what, found, number in report.counts]
    lines += table([["", "found", "published"], *rows])
    of_kind = Counter(problem.kind for problem in report.problems)
    for kind, number in of_kind.items():
        texts = [problem.text for problem in report.problems if problem.kind == kind]
        lines += [f"{kind}: {text}" for text in texts[:SHOWN_PROBLEMS]]
        lines += [f"{kind}: and {number - SHOWN_PROBLEMS:,} more"] if number > SHOWN_PROBLEMS else []
    lines.append(f"licence: {report.corpus.licence}")
    may = "may" if report.corpus.redistribution else "must not"
    lines.append(f"redistribution: its audio, and mixtures of it, {may} be published")
    return "\n".join(lines)


def _counts(part: Part, corpus: Corpus) -> dict[str, int]:
    """The figures of a table; none if it could not be read."""
    if not part.clips:
        return {}
    of_label = Counter(clip.label for clip in part.clips)
    counts = {
        "clips": len(part.clips),
        "verified": sum(clip.is_verified for clip in part.clips),
        "labels": len(of_label),
        "fewest of a label": min(of_label.values()),
        "most of a label": max(of_label.values()),
    }
    if corpus.holds == "backgrounds":
        counts["cities"] = len({clip.group.split("-")[0] for clip in part.clips})
    elif any(clip.group != clip.source_id for clip in part.clips):
        counts["Freesound ids"] = len({clip.group for clip in part.clips})
    stated = Counter(clip.licence for clip in part.clips)
    if UNSTATED not in stated:
        licences = {what.removeprefix("licence ") for what in corpus.figures if what.startswith("licence ")}
        counts |= {f"licence {licence}": stated[licence] for licence in licences}
    return {f"{part.prefix}{what}": number for what, number in counts.items()}


def _recordings(part: Part, form: Form, counts: dict[str, int], decode: bool) -> list[Problem]:
    """What is wrong with the recordings of a part; their number goes to ``counts``."""
    if not part.audio.is_dir():
        return [Problem("missing", f"{part.audio}: not found, expected the folder of the recordings")]
    if not part.clips:
        return []  # no table to compare with, and that was said
    problems = []
    listed = {clip.path for clip in part.clips} | part.unused
    for path in sorted(set(part.audio.iterdir()) - listed):
        if not path.name.startswith("."):
            text = f"{part.audio}: found {shown(path.name)}, expected only what {part.table.name} lists"
            problems.append(Problem("extra", text))
    missing = {clip: None for clip in part.clips if not clip.is_there}  # in the order of the table
    problems += [Problem("missing", f"{clip.path}: not found, expected by {clip.where}") for clip in missing]
    for clip in counted(part.clips, "recordings looked at"):
        if clip not in missing and (wrong := _audio_problem(clip.path, form, decode)):
            problems.append(Problem("audio", wrong))
    counts[f"{part.prefix}recordings"] = len(part.clips) - len(missing)
    return problems


def _audio_problem(path: Path, form: Form, decode: bool) -> str | None:
    try:
        info = soundfile.info(path)
        size = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(8)
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        return f"{path}: unreadable ({first_line(error)})"
    promised = int.from_bytes(head[4:], "little") + 8 if head[:4] == b"RIFF" else 0
    if not info.frames:
        return f"{path}: samples: found none, expected a recording"
    if size + 1 < promised:  # a last byte that only pads is no loss
        return f"{path}: size: found {size:,} bytes, expected {promised:,} by its header: it was cut off"
    found = {"sample rate": info.samplerate, "channels": info.channels, "subtype": info.subtype}
    expected = {"sample rate": form.sample_rate, "channels": form.channels, "subtype": form.subtype}
    for what, value in expected.items():
        if found[what] != value:
            return f"{path}: {what}: found {found[what]}, expected {value}"
    if form.duration_s is not None and abs(info.duration - form.duration_s) > TOLERANCE_S:
        return f"{path}: duration: found {info.duration:.2f} s, expected {form.duration_s:.2f} s"
    return _decoding_problem(path) if decode else None


def _decoding_problem(path: Path) -> str | None:
    try:
        read_audio(path)
    except InputError as error:
        return str(error)
    return None
