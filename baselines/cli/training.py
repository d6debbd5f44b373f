"""Commands that train a model and ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clear_gen.cli.common import PATH

PAPER_SEEDS = (876944, 189369, 682421, 175326, 427438)  # section 6 of the paper
OF_QUESTIONS = {"imagenet", "source", "log_mel", "fit", "augment"}  # options of train that mixtures do not have
OF_MIXTURES = {"fold", "folds", "snr", "width", "alpha", "select_on_test"}
DEVICE = click.option("--device", help="Such as cpu or cuda.  [default: the GPU if there is one]")


def _seeds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    return PAPER_SEEDS if value == "paper" else _numbers(value, "paper, or different whole numbers such as 1,2,3")


def _numbers(value: str | None, expected: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    texts = [text.strip() for text in value.split(",")]
    if not all(text.isdecimal() for text in texts) or len(set(texts)) < len(texts):
        raise click.BadParameter(f"found {value!r}, expected {expected}")
    return tuple(int(text) for text in texts)


def _folds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """None if it is not given, () for all."""
    return () if value == "all" else _numbers(value, "all, or different folds such as 1,2")


def _options(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    parts = [value.partition("=") for value in values]
    if wrong := [value for value, (name, _, text) in zip(values, parts, strict=True) if not name or not text]:
        raise click.BadParameter(f"found {wrong[0]!r}, expected NAME=VALUE such as gru_units=512")
    return {name.strip(): yaml.safe_load(text) for name, _, text in parts}


@click.command()
@click.argument("data", type=PATH, metavar="[DATA]", required=False)
@click.option("--model", metavar="NAME", help="One of clear-bench models, or of clear-bench models --task sed.")
@click.option("--out", "run", type=PATH, required=True, metavar="RUN", help="Folder of the run.")
@click.option(
    "--preset",
    type=click.Choice(["tiny", "narrow"]),
    help="For two CPU cores. tiny: questions, without DATA also a small dataset; narrow: mixtures.",
)
@click.option("--config", type=PATH, metavar="FILE", help="YAML with these options, by the names of RUN/config.yaml.")
@click.option(
    "--set", "options", multiple=True, callback=_options, metavar="NAME=VALUE", help="A setting of the model."
)
@click.option("--imagenet", metavar="FILE", help="Weights of ResNet-101 for visual-film models, as safetensors.")
@click.option("--seed", type=click.IntRange(min=0), help="Every choice follows from it.  [default: 0]")
@click.option("--seeds", callback=_seeds, help="Several runs, RUN/seed-N: paper (its five), or such as 1,2,3.")
@click.option("--source", type=click.Choice(["audio", "virtual"]), help="[default: audio if the dataset has it]")
@click.option("--log-mel", is_flag=True, default=None, help="log10 of the mel power.")
@click.option("--fit", type=click.Choice(["pad", "resize"]), help="How scenes get one length.  [default: pad]")
@click.option("--augment", is_flag=True, default=None, help="Fresh rooms and noise each epoch (--source virtual).")
@click.option("--fold", type=click.IntRange(min=1), help="Mixtures: the fold to hold out.")
@click.option("--folds", callback=_folds, help="Mixtures: several runs, RUN/fold-K: all, or such as 1,2.")
@click.option("--snr", help="Mixtures: which SNR, in dB.  [default: the lowest]")
@click.option("--width", type=float, help="Mixtures: factor of the model's numbers of channels.  [default: 1]")
@click.option("--alpha", type=float, help="Mixtures: weight of the reconstruction.  [default: 0.001]")
@click.option(
    "--select-on-test",
    is_flag=True,
    default=None,
    help="Mixtures: learn from all other folds, choose rate and epoch on the held-out one, as the paper's code does.",
)
@click.option("--learning-rate", type=float, help="Of Adam.  [default: 3e-4; mixtures: 1e-3]")
@click.option(
    "--batch", type=int, help="Questions in a step, of all processes, or clips.  [default: 128; mixtures: 24]"
)
@click.option("--max-epochs", type=int, help="[default: 40; mixtures: 50]")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help="[default: bfloat16 on a GPU]")
@click.option("--compile", is_flag=True, default=None, help="torch.compile, on a GPU with CUDA graphs.")
@DEVICE
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted.")
def train(
    data: Path | None,
    run: Path,
    preset: str | None,
    config: Path | None,
    seeds: tuple[int, ...] | None,
    folds: tuple[int, ...] | None,
    device: str | None,
    resume: bool,
    **flags: Any,
) -> None:
    """Train a model on a dataset with questions, or on mixtures, by the protocol of its paper.

    With --resume the same command goes on where it was interrupted, to the same result. Of mixtures one fold is held
    out, the next one chooses rate and epoch. Questions on several GPUs: start it as
    torchrun --no-python --nproc-per-node N clear-bench train ...

    \b
    Examples:
        clear-bench train clear2 --model naaqa-parallel-optimized --out run
        clear-bench train --preset tiny --out tiny
        clear-bench train mixtures --model 2apae --folds all --out sed
    """
    from clear_gen.datasets.kinds import holds_mixtures

    if seeds is not None and flags["seed"] is not None:
        raise click.UsageError("--seeds: found with --seed, expected one of them")
    if folds is not None and flags["fold"] is not None:
        raise click.UsageError("--folds: found with --fold, expected one of them")
    of_mixtures = data is not None and holds_mixtures(data)
    given = {name for name, value in {**flags, "folds": folds}.items() if value is not None}
    if wrong := sorted(given & (OF_QUESTIONS if of_mixtures else OF_MIXTURES)):
        what = "mixtures" if of_mixtures else "no mixtures"
        raise click.UsageError(f"--{wrong[0].replace('_', '-')}: found it with {what}: {data or 'no DATA'}")
    if preset is not None and preset != ("narrow" if of_mixtures else "tiny"):
        raise click.UsageError(f"--preset {preset}: found it with {'' if of_mixtures else 'no '}mixtures")
    flags = {name: value for name, value in flags.items() if value is not None}
    if of_mixtures:
        from baselines.tasks.sed.commands import run_sed_training

        assert data is not None
        if "width" in flags:
            flags["options"] = {**flags.get("options", {}), "width": flags.pop("width")}
        run_sed_training(data, run, preset, config, folds, seeds, device, resume, flags, click.echo)
        return
    from baselines.tasks.aqa.commands import run_training

    run_training(data, run, preset, config, seeds, device, resume, flags, click.echo)


@click.command()
@click.argument("run", type=PATH)
@click.option("--audio", type=PATH, required=True, metavar="FILE", help="A recording: WAV, FLAC, OGG, MP3, AIFF.")
@click.option("--question", required=True, help="In English, such as the training questions.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Answers to print.")
@click.option("--json", "as_json", is_flag=True, help="All answers with their probabilities, as JSON.")
@DEVICE
def predict(run: Path, audio: Path, question: str, top: int, as_json: bool, device: str | None) -> None:
    """Ask a trained model about any recording.

    \b
    Example:
        clear-bench predict run --audio scene.flac --question "How many violins are there?"
    """
    from baselines.tasks.aqa import commands

    click.echo("\n".join(commands.predicted(run, audio, question, top, as_json, device)))


COMMANDS = (train, predict)
