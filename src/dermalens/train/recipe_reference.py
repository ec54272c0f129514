"""The reference of the recipe's keys, made from the attribute docstrings; read without torch.

python -m dermalens.train.recipe_reference docs/reference/recipe.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dermalens.train.ensemble_recipe import Stack
from dermalens.train.recipe import Recipe

_INTRODUCTION = """# The recipe

A recipe is one strict TOML file that says all of a run: an unknown key, a wrong type or a value out of bounds is an
error with its path. `dermalens train RECIPE --set optimizer.lr=1e-4` changes a key for one run; the resolved recipe is
kept in the run folder (`run.json`). Paths start from the folder that the command runs in. Complete examples are in
`recipes/`.

This page is made from `src/dermalens/train/recipe.py` by `make docs`.
"""

_ENSEMBLES = """## [members.NAME]

The recipe of an ensemble has two or more of these tables, and `model.backbone` in them rather than in `[model]`: each
is one member, its keys laid over the shared ones, such as `model.backbone = "densenet121"`.
`classes`, `preprocess` and `data.split` are those of all members. From the command line:
`--set members.densenet121.trainer.epochs=5`.
"""

_BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}


def recipe_reference() -> str:
    """The page as Markdown: a table of the keys at the top, then one of each table of the recipe."""
    plain = {name: field for name, field in Recipe.model_fields.items() if _part(field) is None}
    sections = [_INTRODUCTION, "## Top\n", _table(plain)]
    for name, field in Recipe.model_fields.items():
        part = _part(field)
        if part:
            sections += [f"## [{name}]\n", f"{_sentence(part.__doc__)}\n", _table(part.model_fields)]
            sections += [_choice(name, key, kind) for key, inner in part.model_fields.items() for kind in _kinds(inner)]
    sections += [_ENSEMBLES, "## [stack]\n", f"{_sentence(Stack.__doc__)}\n", _table(Stack.model_fields)]
    return "\n".join(sections)


def _part(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _kinds(field: FieldInfo) -> list[type[BaseModel]]:
    """The tables that a list such as `preprocess.clean` may hold; none for any other field."""
    inner = get_args(field.annotation)
    if get_origin(field.annotation) is not list or get_origin(inner[0]) is not Annotated:
        return []
    return list(get_args(get_args(inner[0])[0]))


def _choice(part: str, key: str, kind: type[BaseModel]) -> str:
    name = next(iter(kind.model_fields.values())).default
    return f"### {part}.{key}: {name}\n\n{_sentence(kind.__doc__)}\n\n{_table(kind.model_fields)}"


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = [
        f"| `{name}` | {_kind(field)} | {_default(field)} | {_sentence(field.description)} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _kind(field: FieldInfo) -> str:
    bounds = [
        template.format(getattr(rule, name))
        for name, template in _BOUNDS.items()
        for rule in field.metadata
        if hasattr(rule, name)
    ]
    return " ".join([_type_name(field.annotation), *bounds])


def _type_name(kind: Any) -> str:
    arguments = [argument for argument in get_args(kind) if argument not in (NoneType, ...)]
    if get_origin(kind) is Annotated:
        return "tables, described below"
    if get_origin(kind) is Literal:
        return ", ".join(f'"{choice}"' for choice in arguments)
    if get_origin(kind) is tuple:
        return f"[{', '.join(_type_name(argument) for argument in arguments)}]"
    if get_origin(kind) is list:
        return f"list of {_type_name(arguments[0])}"
    if arguments:
        return _type_name(arguments[0])
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[kind]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if field.default is None:
        return "none"
    text = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    text = f'"{text}"' if isinstance(field.default, str) else text.replace("'", '"').replace("(", "[").replace(")", "]")
    return f"`{text}`"


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(recipe_reference(), encoding="utf-8")
