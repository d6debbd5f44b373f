"""The templates of a domain, or of the user's files, read, checked and counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.files import content_names, content_path
from clear_gen.questions.templates.families import load_families, words_of
from clear_gen.questions.templates.template import Template, read_json_templates
from clear_gen.scenes.domain import Domain, no_domain

FILE = "questions.yaml"


def read_templates(domain: Domain, paths: Sequence[Path], name_or_folder: str | None = None) -> list[Template]:
    """The templates of all files; of none, those beside the domain's ``domain.yaml``. YAML holds families, JSON
    templates in CLEVR's form.

    Raises InputError naming file, template, field, found and expected, or if two templates have the same id.
    """
    templates: list[Template] = []
    seen: dict[str, Path] = {}
    for path in paths or [_packaged(domain, name_or_folder)]:
        read = read_json_templates if path.suffix.lower() == ".json" else load_families
        of_file = read(path, domain)
        if not of_file:
            raise InputError(f"{path}: found no template, expected at least one")
        for template in of_file:
            if template.template_id in seen:
                where = seen[template.template_id]
                raise InputError(f"{path}: id: found {template.template_id} twice (also in {where}), expected once")
            seen[template.template_id] = path
            templates.append(template)
    return templates


def words_of_templates(
    domain: Domain, paths: Sequence[Path], name_or_folder: str | None = None
) -> frozenset[str] | None:
    """The words that the families' texts may use; None if some templates are JSON, which has no such list."""
    paths = paths or [_packaged(domain, name_or_folder)]
    if any(path.suffix.lower() == ".json" for path in paths):
        return None
    return frozenset().union(*(words_of(path) for path in paths))


def has_templates(domain: Domain, name_or_folder: str | None = None) -> bool:
    """Whether ``read_templates`` would find a file of templates for the domain."""
    try:
        return _packaged(domain, name_or_folder).is_file()
    except InputError:
        return False


def _packaged(domain: Domain, name_or_folder: str | None) -> Path:
    name = name_or_folder or domain.name
    if name_or_folder is not None and (Path(name_or_folder) / FILE).is_file():
        return Path(name_or_folder) / FILE
    if name in content_names("templates") and (path := content_path("templates", name) / FILE).is_file():
        return path
    if name_or_folder is not None:
        raise no_domain(name_or_folder, FILE)
    raise InputError(
        f"domain {name}: found no templates, expected the folder of its {FILE} by --domain DIR, or --templates FILE"
    )


def counts_of(templates: Sequence[Template], domain: Domain) -> list[list[str]]:
    """A table: templates, distinct programs and texts by question type."""
    rows = [["type", "templates", "distinct programs", "texts"]]
    for name in [*domain.question_types, "all"]:
        of = [template for template in templates if name in (template.question_type, "all")]
        programs = {_nameless(template) for template in of}
        rows.append([name, str(len(of)), str(len(programs)), str(sum(len(template.text) for template in of))])
    return rows


def _nameless(template: Template) -> tuple:
    """The program, parameters numbered in the order of their first use."""
    names: dict[str, str] = {}
    kinds = {parameter.name for parameter in template.parameters}
    program = []
    for node in template.program:
        values = tuple(names.setdefault(value, f"<{len(names)}>") if value in kinds else value for value in node.values)
        program.append((node.function, node.inputs, values))
    return tuple(program)
