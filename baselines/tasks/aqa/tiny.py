"""The dataset of the preset ``tiny``: short scenes without a room, and three types of questions about them."""

from __future__ import annotations

from pathlib import Path

from clear_gen.core.progress import counting
from clear_gen.datasets.scenes.banks import settings_and_banks
from clear_gen.datasets.scenes.build import create
from clear_gen.datasets.scenes.layout import QUESTIONS
from clear_gen.datasets.scenes.manifest import finished_settings
from clear_gen.datasets.scenes.options import read_options
from clear_gen.datasets.scenes.questions.build import checked_rules, make_questions, question_job
from clear_gen.questions.templates.collection import read_templates
from clear_gen.store.build import Execution
from clear_gen.store.finish import is_finished
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import read_provenance

PRESETS = Path(__file__).resolve().parents[2] / "presets"
PER_SCENE = 8  # questions


def make_tiny_dataset(folder: Path) -> None:
    """Generate the missing parts of the dataset from the embedded sounds."""
    if not is_finished(folder):
        path = PRESETS / "tiny-scenes.yaml"
        asked, node = read_options({}, path)
        settings, banks = settings_and_banks(asked, False, path, node)
        create(folder, settings, banks, Execution(progress=counting("scenes")))
    settings = finished_settings(folder)
    if QUESTIONS not in read_provenance(folder / IDENTITY):
        templates = read_templates(settings.domain, (PRESETS / "tiny-questions.yaml",))
        rules = checked_rules(settings.domain, 0, PER_SCENE, None, True, (), templates)
        make_questions(question_job(folder, rules, templates), Execution(progress=counting("scenes asked about")))
