"""The recipe of an ensemble: one TOML file with what its members share, and what each has of its own; without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dermalens.core.errors import RecipeError, name_some
from dermalens.train.recipe import Recipe, parse_recipe, read_content

_NAME = re.compile("[a-z0-9_]+")


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Stack(_Part):
    """How the members are joined."""

    combiner: Literal["logistic", "mean"] = "logistic"
    """logistic: a stacked logistic regression on out-of-fold predictions, one more training for each fold of the split
    and each member; mean: the mean of the logits, without folds."""
    penalty: float = Field(default=1.0, gt=0)
    """L2 penalty on the weights of the regression; a higher one draws them to zero."""


class EnsembleRecipe(_Part):
    """Members that are trained alike but for what each has of its own, and how they are joined."""

    name: str
    description: str
    stack: Stack
    members: dict[str, Recipe]
    """Complete recipes by the name of the member, in the order of the bundle."""


def read_any_recipe(source: Path, overrides: Sequence[str] = ()) -> Recipe | EnsembleRecipe:
    """Read a recipe, or that of an ensemble where the file has `members`.

    Raises:
        RecipeError: names the file and the path of the first keys that are wrong.
    """
    content = read_content(source, overrides)
    if "members" not in content:
        return parse_recipe(content, where=str(source))
    return _parse_ensemble(content, where=str(source))


def _parse_ensemble(content: Mapping[str, Any], *, where: str) -> EnsembleRecipe:
    """Each member has the shared tables with its own keys laid over them; its name is NAME_MEMBER."""
    own = content["members"]
    if not isinstance(own, dict) or len(own) < 2 or not all(isinstance(keys, dict) for keys in own.values()):
        raise RecipeError(f"{where}: members needs two tables at least, such as [members.densenet121]")
    odd = [name for name in own if not _NAME.fullmatch(name)]
    if odd:
        raise RecipeError(f"{where}: members are named with a-z, 0-9 and _; given is {name_some(odd)}")
    shared = {key: value for key, value in content.items() if key not in ("members", "stack")}
    if "name" not in shared:
        raise RecipeError(f"{where}: missing key name")
    members = {name: _member(shared, name, keys, where) for name, keys in own.items()}
    _check_members(members, where)
    try:
        stack = Stack.model_validate(content.get("stack", {}))
    except ValidationError as error:
        problems = "; ".join(f"stack.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
        raise RecipeError(f"{where}: {problems}") from error
    first = next(iter(members.values()))
    return EnsembleRecipe(name=str(shared["name"]), description=first.description, stack=stack, members=members)


def _member(shared: Mapping[str, Any], name: str, keys: Mapping[str, Any], where: str) -> Recipe:
    named = {**shared, "name": f"{shared['name']}_{name}"}
    return parse_recipe(_laid_over(named, keys), where=f"{where}: {name}")


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        former = both.get(key)
        both[key] = _laid_over(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
    return both


def _check_members(members: Mapping[str, Recipe], where: str) -> None:
    """Refuse members that cannot be joined, and what an ensemble sets itself."""
    first_name, first = next(iter(members.items()))
    for name, member in members.items():
        pairs = {
            "classes": (member.classes, first.classes),
            "data.split": (member.data.split, first.data.split),
            "preprocess": (member.preprocess, first.preprocess),
        }
        differing = [key for key, (given, needed) in pairs.items() if given != needed]
        if differing:
            raise RecipeError(f"{where}: {name} differs from {first_name} in {name_some(differing)}; these are shared.")
        if (member.data.fold, member.data.left_out) != (None, None):
            raise RecipeError(f"{where}: {name} has data.fold or data.left_out, which an ensemble sets itself.")
        if member.trainer.devices * member.trainer.nodes > 1:
            raise RecipeError(f"{where}: {name} asks for several devices; members train on one each.")
