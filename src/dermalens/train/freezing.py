"""What does not learn: the backbone in the first phase, and the layers that a recipe freezes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from dermalens.core.errors import RecipeError, name_some
from dermalens.models.heads import LesionClassifier


def freeze(network: LesionClassifier, *, frozen: Sequence[str], head_only: bool) -> None:
    """Set what learns in an epoch; norms that do not learn do not gather statistics either.

    Raises:
        RecipeError: a prefix of `frozen` that no parameter has.
    """
    names = [name for name, _ in network.backbone.named_parameters()]
    idle = [prefix for prefix in frozen if not any(_is_under(name, prefix) for name in names)]
    if idle:
        tops = dict.fromkeys(name.partition(".")[0] for name in names)
        raise RecipeError(f"model.frozen: no layer is called {name_some(idle)}. There are {', '.join(tops)}.")
    for name, parameter in network.backbone.named_parameters():
        parameter.requires_grad = not head_only and not any(_is_under(name, prefix) for prefix in frozen)
    network.train()
    network.backbone.train(not head_only)
    for module in network.backbone.modules():
        _rest_if_frozen(module)


def _is_under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def _rest_if_frozen(module: nn.Module) -> None:
    own = list(module.parameters(recurse=False))
    if own and not any(parameter.requires_grad for parameter in own):
        module.eval()
