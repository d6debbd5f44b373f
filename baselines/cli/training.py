"""Commands that train a model and ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clear_gen.cli.common import PATH

PAPER_SEEDS = (876944, 189369, 682421, 175326, 427438)  # section 6 of the paper
DEVICE = click.option("--device", help="Such as cpu or cuda.  [default: the GPU if there is one]")


def _seeds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None or value == "paper":
        return PAPER_SEEDS if value else None
    texts = value.split(",")
    if not all(text.strip().isdecimal() for text in texts) or len(set(texts)) < len(texts):
        raise click.BadParameter(f"found {value!r}, expected paper, or different whole numbers such as 1,2,3")
    return tuple(int(text) for text in texts)


def _options(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    parts = [value.partition("=") for value in values]
    if wrong := [value for value, (name, _, text) in zip(values, parts, strict=True) if not name or not text]:
        raise click.BadParameter(f"found {wrong[0]!r}, expected NAME=VALUE such as gru_units=512")
    return {name.strip(): yaml.safe_load(text) for name, _, text in parts}


@click.command()
@click.argument("data", type=PATH, metavar="[DATA]", required=False)
@click.option("--model", metavar="NAME", help="One of clear-bench models.")
@click.option("--out", "run", type=PATH, required=True, metavar="RUN", help="Folder of the run.")
@click.option("--preset", type=click.Choice(["tiny"]), help="A narrow model; without DATA, also a small dataset.")
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
@click.option("--learning-rate", type=float, help="Of Adam.  [default: 3e-4]")
@click.option("--batch", type=int, help="Questions in a step, of all processes together.  [default: 128]")
@click.option("--max-epochs", type=int, help="[default: 40]")
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
    device: str | None,
    resume: bool,
    **flags: Any,
) -> None:
    """Train a model on a dataset with questions, by the protocol of the paper.

    With --resume the same command goes on where it was interrupted, to the same result. Several GPUs: start it as
    torchrun --no-python --nproc-per-node N clear-bench train ...

    \b
    Examples:
        clear-bench train clear2 --model naaqa-parallel-optimized --out run
        clear-bench train --preset tiny --out tiny
    """
    from baselines import training

    if seeds is not None and flags["seed"] is not None:
        raise click.UsageError("--seeds: found with --seed, expected one of them")
    training.run_training(data, run, preset, config, seeds, device, resume, flags, click.echo)


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
    from baselines import training

    click.echo("\n".join(training.predicted(run, audio, question, top, as_json, device)))


COMMANDS = (train, predict)
