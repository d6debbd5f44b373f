"""What the commands ``train`` and ``predict`` do.

Configurations from presets, files and flags; a tiny dataset; a picture of curves; a question about any recording.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import ValidationError
from torch import distributed

from baselines.audio.features import features_of
from baselines.core.checkpoints import device_named
from baselines.models import config_of
from baselines.tasks.aqa.run import CONFIG, CURVES, RunConfig, load_run
from baselines.tasks.aqa.train import Data, Processes, Progress, load_data, processes_of_torchrun, train
from baselines.tasks.sed.run import SedRunConfig
from clear_gen.core.config import load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path
from clear_gen.core.progress import progress
from clear_gen.datasets.scenes.banks import banks_for
from clear_gen.datasets.scenes.build import Shard, create
from clear_gen.datasets.scenes.options import read_options, settings_from
from clear_gen.datasets.scenes.questions.build import checked_rules, make_questions, question_job
from clear_gen.datasets.scenes.questions.files import read_asked
from clear_gen.dsp.resample import resampled
from clear_gen.questions.templates.collection import read_templates
from clear_gen.sounds.files import read_audio
from clear_gen.store.finish import finished_settings, is_finished

PRESETS = Path(__file__).resolve().parent / "presets"
PANELS = {"loss (nats)": ("train_loss", "validation_loss"), "accuracy": ("train_accuracy", "validation_accuracy")}
TINY_DATA = "data"
TINY_PER_SCENE = 8


Chosen = TypeVar("Chosen", RunConfig, SedRunConfig)


def configured(
    schema: type[Chosen],
    data: Path | None,
    preset: str | None,
    file: Path | None,
    flags: Mapping[str, Any],
    device: torch.device,
) -> Chosen:
    """The choices of a run: flags over the file over the preset over the defaults.

    Raises InputError naming file and line, or the option, that is wrong or missing.
    """
    chosen: dict[str, Any] = {"precision": "bfloat16" if device.type == "cuda" else "float32"}
    for path in [PRESETS / f"{preset}.yaml"] * bool(preset) + [file] * bool(file):
        assert path is not None
        given = load_yaml(path, schema).model_dump(exclude_unset=True)
        chosen |= {**given, "options": {**chosen.get("options", {}), **given.get("options", {})}}
    named = {name: value for name, value in flags.items() if value is not None}
    chosen |= {**named, "options": {**chosen.get("options", {}), **named.get("options", {})}}
    chosen |= {"data": str(data)} if data else {}
    for name, what in {"data": "DATA", "model": "--model"}.items():
        if not chosen.get(name):
            raise InputError(f"{what}: found none, expected one (or --preset tiny)")
    try:
        return schema.model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("options", "set").replace("_", "-")
        raise InputError(f"{option}: found {first['input']!r}, expected: {first['msg']}") from None


def run_training(
    data: Path | None,
    run: Path,
    preset: str | None,
    file: Path | None,
    seeds: tuple[int, ...] | None,
    device_name: str | None,
    resume: bool,
    flags: Mapping[str, Any],
    say: Callable[[str], None],
) -> None:
    """Train one run, or one for each of ``seeds`` on the same features.

    Raises InputError if a folder holds a run already and is not to be resumed, or a choice is wrong.
    """
    device = device_named(device_name)
    processes = processes_of_torchrun(device)
    if device.type == "cuda" and processes.n > 1:
        device = torch.device("cuda", processes.rank % torch.cuda.device_count())
    if preset and data is None:
        data = run / TINY_DATA
        if processes.rank == 0:
            _tiny_dataset(data)
        if processes.n > 1:
            distributed.barrier()
    config = configured(RunConfig, data, preset, file, flags, device)
    config_of(config.model, config.options)
    is_frozen = config.model.startswith("visual-film")
    if config.imagenet and not is_frozen:
        raise InputError(f"--imagenet: found it with {config.model}, expected a model that begins with visual-film")
    if is_frozen and not config.imagenet and processes.rank == 0:
        say(f"{config.model}: the frozen trunk has random weights; --imagenet FILE gives it trained ones")
    runs = [(run / f"seed-{seed}", config.model_copy(update={"seed": seed})) for seed in seeds or ()] or [(run, config)]
    for folder, _ in runs:
        if (folder / CONFIG).exists() and not resume:
            raise InputError(f"{folder}: found a run, expected none; --resume goes on with it")
    shared = load_data(config, device)
    for folder, one in runs:
        _train_one(one, shared, folder, device, processes, say)
    if processes.n > 1:
        distributed.destroy_process_group()


def _train_one(
    config: RunConfig, data: Data, run: Path, device: torch.device, processes: Processes, say: Callable[[str], None]
) -> None:
    is_first = processes.rank == 0
    if is_first:
        questions = (
            f"{len(data.train.questions):,} training and {len(data.validation.questions):,} validation questions"
        )
        say(f"{run}: {config.model}, seed {config.seed}, {questions}, input 1 x 64 x {data.features.n_frames}")
    done = train(config, data, run, device, processes, say if is_first else lambda _: None)
    if is_first:
        draw_curves(done.history, run / CURVES, PANELS)
        say(summary(done, run))


def summary(done: Progress, run: Path) -> str:
    """What came out, and what to type next."""
    then = f"next: clear-bench evaluate {quote(str(run))}"
    if not done.history:
        return f"{run}: nothing to learn in this model\n{then}"
    best = done.history[done.best_epoch]
    accuracy = f"{best['validation_accuracy']:.2%}"
    return (
        f"{run}: best of {len(done.history)} epochs: {done.best_epoch + 1}, {accuracy} of the validation split\n{then}"
    )


def _tiny_dataset(folder: Path) -> None:
    """Short scenes without a room, of the embedded sounds, and three types of questions about them."""
    if not is_finished(folder):
        path = PRESETS / "tiny-scenes.yaml"
        asked, node = read_options({}, path)
        banks, domain = banks_for(asked)
        create(folder, settings_from(asked, domain, False, path, node), banks, Shard(0, 1), 1, progress)
    settings = finished_settings(folder)
    if read_asked(folder, settings) is None:
        templates = read_templates(settings.domain, (PRESETS / "tiny-questions.yaml",))
        rules = checked_rules(settings.domain, 0, TINY_PER_SCENE, None, True, (), templates)
        make_questions(question_job(folder, rules, templates), Shard(0, 1), 1, progress, False, False)


def draw_curves(history: Sequence[Mapping[str, float]], path: Path, panels: Mapping[str, Sequence[str]]) -> None:
    """Figures over the epochs, as PNG: a panel of each of ``panels``, with the columns of ``history`` it names."""
    from matplotlib.figure import Figure

    if not history:
        return
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    epochs = [row["epoch"] + 1 for row in history]
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for name in names:
            axes.plot(epochs, [row[name] for row in history], label=name.replace("_", " "), marker=".")
        axes.set(xlabel="epoch", ylabel=title)
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


class _Recording:
    """One recording as a source of scenes."""

    def __init__(self, samples: np.ndarray, sample_rate: int) -> None:
        self.sample_rate, self.n_samples = sample_rate, np.array([len(samples)])
        self._samples = torch.from_numpy(samples)

    def waveforms(self, batch: int, device: torch.device) -> Any:
        """See ``baselines.audio.scenes.Scenes``."""
        yield self._samples[None].to(device)


@torch.no_grad()
def predicted(run: Path, audio: Path, question: str, top: int, as_json: bool, device: str | None) -> list[str]:
    """The most probable answers of a trained model to a question about a recording, as lines of text or of JSON.

    Raises InputError if run or recording cannot be read, or the recording is too short.
    """
    trained = load_run(run, device)
    samples, rate = read_audio(audio)
    mel = trained.features.mel
    samples = resampled(samples, rate, mel.sample_rate).astype(np.float32)
    if len(samples) <= mel.window or not np.isfinite(samples).all():
        raise InputError(f"{audio}: found {len(samples)} samples, expected finite ones, more than {mel.window}")
    features = features_of(_Recording(samples, mel.sample_rate), trained.features, trained.device, lambda _: None)
    ids, lengths = (torch.tensor(one, device=trained.device) for one in trained.tokenizer.encode([question]))
    first = torch.zeros(1, dtype=torch.int64, device=trained.device)
    probabilities = trained.model(features.standardised(first), ids, lengths).float().softmax(1)[0].tolist()
    ranked = sorted(zip(probabilities, trained.tokenizer.answers, strict=True), key=lambda pair: (-pair[0], pair[1]))
    if as_json:
        return [json.dumps({"answer": ranked[0][1], "probabilities": {name: value for value, name in ranked}})]
    return [f"{value:6.1%}  {name}" for value, name in ranked[:top]]
