"""Does a test notice when the code is wrong? ``python -m tests.mutations [NAME ...]``: all mutations, or those named.

The tree is copied to a temporary folder. One mutation at a time is applied to the copy, and the tests that must notice
it run with ``-x``. Prints a table of killed and survived; exit code 1 if any survived. The tests must pass on the copy
as it is, and each mutation's old text must occur exactly once in its file: else the table would mean nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 1800  # of one run of tests; a mutation after which they hang is noticed, too
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutation:
    """``old`` becomes ``new`` in ``file``; ``tests``: what pytest is to run, modules or tests in them."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


TRAINING = "tests/baselines/tasks/aqa/test_train.py::"
MUTATIONS = (
    Mutation(
        "no fsync of a file",
        "clear_gen/core/files.py",
        "            os.fsync(file.fileno())\n",
        "            file.fileno()\n",
        ("tests/core/test_files.py",),
    ),
    Mutation(
        "no fsync of a folder",
        "clear_gen/core/files.py",
        "            os.fsync(folder)\n",
        "            os.fstat(folder)\n",
        ("tests/core/test_files.py",),
    ),
    Mutation(
        "recorded hash not compared",
        "clear_gen/store/finish.py",
        "        if recorded not in (None, hashes[name]):",
        "        if recorded is hashes:",
        ("tests/store/test_damage.py::test_a_file_altered_before_the_end_is_made_again",),
    ),
    Mutation(
        "chunk one record short",
        "clear_gen/store/layout.py",
        "min(start + CHUNK_RECORDS, self.stop)",
        "min(start + CHUNK_RECORDS - 1, self.stop)",
        ("tests/store/test_layout.py",),
    ),
    Mutation(
        "chunk of another dataset taken",
        "clear_gen/store/chunks.py",
        '.get("identity_sha256") == context.identity_sha256:',
        '.get("identity_sha256"):',
        ("tests/store/test_damage.py::test_a_chunk_of_another_dataset_is_made_again",),
    ),
    Mutation(
        "chunk's checksum ignored",
        "clear_gen/store/chunks.py",
        "if _end(data, chunk) == end:",
        "if end:",
        ("tests/store/test_damage.py::test_one_byte_of_a_chunk_is_no_chunk",),
    ),
    Mutation(
        "lock one file too wide",
        "clear_gen/store/lock.py",
        "[(number + 1, 1) for number in files]",
        "[(number + 1, 2) for number in files]",
        ("tests/store/test_lock.py",),
    ),
    Mutation(
        "one question too many",
        "clear_gen/questions/generation/selection.py",
        "[which] < per_scene",
        "[which] <= per_scene",
        ("tests/questions/generation/test_selection.py",),
    ),
    Mutation(
        "before: the first, not the nearest",
        "clear_gen/questions/language/functions/sets.py",
        "before[-nearest:]",
        "before[:nearest]",
        ("tests/questions/language/test_program.py",),
    ),
    Mutation(
        "margin excluded",
        "clear_gen/questions/language/functions/sounds.py",
        "if difference <= max(",
        "if difference < max(",
        ("tests/questions/language/test_program.py",),
    ),
    Mutation(
        "a sound ranks among itself",
        "clear_gen/questions/language/execute_batch.py",
        "earlier = scenes.same_must[:, among] & (scenes.bits - ONE)",
        "earlier = scenes.same_must[:, among] & scenes.bits",
        ("tests/questions/language/test_execute_batch.py",),
    ),
    Mutation(
        "removable only if all relations are",
        "clear_gen/questions/audit/clause_ablation.py",
        "removable=any(map(stays, removed))",
        "removable=all(map(stays, removed))",
        ("tests/questions/audit/test_figures.py",),
    ),
    Mutation(
        "a sound drawn twice",
        "clear_gen/scenes/sampler.py",
        "value >= taken[:, column]",
        "value > taken[:, column]",
        ("tests/scenes/test_sampler.py",),
    ),
    Mutation(
        "onsets summed over scenes",
        "clear_gen/scenes/sampler.py",
        "np.cumsum(n_samples, axis=1) - n_samples",
        "np.cumsum(n_samples, axis=0) - n_samples",
        ("tests/scenes/test_sampler.py",),
    ),
    Mutation(
        "scene from another stage's stream",
        "clear_gen/scenes/sampler.py",
        "stream(spec.seed, STAGE_SCENE, SPLITS",
        "stream(spec.seed, STAGE_SCENE + 1, SPLITS",
        ("tests/scenes/test_sampler.py",),
    ),
    Mutation(
        "no headroom for the noise",
        "clear_gen/scenes/render.py",
        "_peak(signal), FULL_SCALE - noise_peak",
        "_peak(signal), FULL_SCALE",
        ("tests/scenes/test_render.py",),
    ),
    Mutation(
        "optimiser's moments not restored",
        "baselines/core/checkpoints.py",
        '"state": state})',
        '"state": {}})',
        ("tests/baselines/core/test_trainer.py",),
    ),
    Mutation(
        "the worst epoch is kept",
        "baselines/core/trainer.py",
        "if learner.objective.improves(value, state.best):",
        "if state.best is None or not learner.objective.improves(value, state.best):",
        (TRAINING + "test_what_is_kept_is_the_epoch_of_least_validation_loss",),
    ),
    Mutation(
        "all processes learn the same rows",
        "baselines/core/trainer.py",
        "order[:, processes.rank :: processes.n]",
        "order[:, :: processes.n]",
        ("tests/baselines/core/test_trainer.py",),
    ),
    Mutation(
        "Wilson's width",
        "baselines/core/intervals.py",
        "weight / (4 * n)",
        "weight / (2 * n)",
        ("tests/baselines/core/test_intervals.py",),
    ),
)


def copy_of_tree(root: Path, to: Path) -> None:
    """Copy the files that git knows or would add."""
    listed = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, to / name)


def failing_test(tree: Path, tests: Sequence[str]) -> str | None:
    """The first test that fails, or None. Exits if the tests cannot run at all."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", "-m", "", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return f"{tests[0]} (not over after {LIMIT_S} s)"
    if done.returncode == 0:
        return None
    found = FAILED.search(done.stdout)
    if done.returncode != 1 and not found:
        sys.exit(f"pytest {' '.join(tests)}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return found.group(1) if found else tests[0]


def check_texts(tree: Path, mutations: Sequence[Mutation]) -> None:
    """Exit unless the old text of every mutation occurs exactly once, so that each changes what it says."""
    problems = []
    for mutation in mutations:
        path = tree / mutation.file
        n = path.read_text(encoding="utf-8").count(mutation.old) if path.is_file() else None
        if n != 1:
            found = "no such file" if n is None else f"found {n} times, expected once: {mutation.old!r}"
            problems.append(f"{mutation.name}: {mutation.file}: {found}")
        problems += [
            f"{mutation.name}: {test}: no such file"
            for test in mutation.tests
            if not (tree / test.partition("::")[0]).exists()
        ]
    if problems:
        sys.exit("\n".join(problems))


@contextmanager
def applied(tree: Path, mutation: Mutation) -> Iterator[None]:
    """Mutate a file of the copy, and put it back."""
    path = tree / mutation.file
    original = path.read_text(encoding="utf-8")
    path.write_text(original.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(original, encoding="utf-8")


def outcomes(root: Path, mutations: Sequence[Mutation]) -> Iterator[tuple[Mutation, str | None]]:
    """Each mutation with the test that killed it, None if it survived."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_of_tree(root, tree)
        check_texts(tree, mutations)
        if broken := failing_test(tree, sorted({test for mutation in mutations for test in mutation.tests})):
            sys.exit(f"{broken}: fails without any mutation")
        for mutation in mutations:
            with applied(tree, mutation):
                yield mutation, failing_test(tree, mutation.tests)


def main(root: Path, mutations: Sequence[Mutation]) -> int:
    """Print the table; the exit code."""
    width = max(len(mutation.name) for mutation in mutations)
    survived = 0
    for mutation, killer in outcomes(root, mutations):
        survived += killer is None
        print(f"{mutation.name:{width}}  {'survived' if killer is None else 'killed'}  {killer or ''}", flush=True)
    print(f"{len(mutations) - survived} of {len(mutations)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    wanted = sys.argv[1:]
    if unknown := set(wanted) - {mutation.name for mutation in MUTATIONS}:
        sys.exit(f"found {', '.join(sorted(unknown))}, expected: {', '.join(mutation.name for mutation in MUTATIONS)}")
    sys.exit(main(ROOT, [mutation for mutation in MUTATIONS if not wanted or mutation.name in wanted]))
