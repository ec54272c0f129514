from __future__ import annotations

import math

import pytest
import torch

from dermalens.core.errors import RecipeError
from dermalens.train.freezing import freeze
from dermalens.train.module import LesionModule, _optimizer, _schedule

COUNTS = [4, 4, 4, 4, 4, 4, 4]


@pytest.mark.parametrize(("name", "kind"), [("adamw", "AdamW"), ("adam", "Adam"), ("sgd", "SGD")])
def test_each_optimiser_takes_a_step_and_decays_kernels_alone(make_recipe, name, kind):
    module = LesionModule(make_recipe([f"optimizer.name={name}", "optimizer.weight_decay=0.1"]), COUNTS)
    optimizer = _optimizer(module.recipe, module.network)
    decayed, plain = optimizer.param_groups
    assert type(optimizer).__name__ == kind
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in plain["params"]} == {1}
    before = module.network.head[-1].weight.clone()
    module.network(torch.rand(4, 3, 48, 48)).sum().backward()
    optimizer.step()
    assert not torch.equal(before, module.network.head[-1].weight)


def factors(recipe, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = (_schedule(recipe, optimizer, steps) or {})["scheduler"]
    found = []
    for _ in range(steps + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_cosine_warms_up_and_falls_to_zero(make_recipe):
    found = factors(make_recipe(["optimizer.warmup_epochs=1"]), 12)  # 4 epochs of 3 steps
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[3:] == pytest.approx([0.5 * (1 + math.cos(math.pi * step / 9)) for step in range(10)])


def test_constant_stays(make_recipe):
    assert set(factors(make_recipe(["optimizer.schedule=constant"]), 5)) == {1.0}


def test_plateau_watches_the_validation_balanced_accuracy(make_recipe):
    recipe = make_recipe(["optimizer.schedule=plateau", "optimizer.plateau_patience=1"])
    spec = _schedule(recipe, torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0), 10)
    assert (spec["monitor"], spec["interval"]) == ("val_balanced_accuracy", "epoch")
    scheduler = spec["scheduler"]
    for score in (0.5, 0.4, 0.4):
        scheduler.step(score)
    assert scheduler.get_last_lr() == pytest.approx([0.1])


def test_a_head_phase_moves_the_head_alone_and_leaves_the_norms_of_the_backbone(make_recipe):
    moved = moved_by_a_step(LesionModule(make_recipe(), COUNTS), frozen=[], head_only=True)
    assert moved == {"head.1.weight", "head.1.bias"}


def test_frozen_layers_stay_with_their_statistics_while_the_rest_learns(make_recipe):
    moved = moved_by_a_step(LesionModule(make_recipe(), COUNTS), frozen=["conv_stem", "bn1"], head_only=False)
    assert not any(name.startswith(("backbone.conv_stem", "backbone.bn1")) for name in moved)
    assert {"backbone.conv_head.weight", "backbone.bn2.running_mean", "head.1.weight"} <= moved


def test_after_the_head_phase_everything_learns(make_recipe):
    module = LesionModule(make_recipe(), COUNTS)
    freeze(module.network, frozen=[], head_only=True)
    moved = moved_by_a_step(module, frozen=[], head_only=False)
    assert {"backbone.conv_stem.weight", "backbone.bn1.running_var", "head.1.weight"} <= moved


def moved_by_a_step(module: LesionModule, *, frozen: list[str], head_only: bool) -> set[str]:
    optimizer = torch.optim.SGD(module.network.parameters(), lr=1.0, weight_decay=0.1)
    freeze(module.network, frozen=frozen, head_only=head_only)
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    torch.nn.functional.cross_entropy(module.network(torch.rand(6, 3, 48, 48)), torch.arange(6)).backward()
    optimizer.step()
    return {name for name, value in module.network.state_dict().items() if not torch.equal(before[name], value)}


def test_a_frozen_prefix_that_names_no_layer_is_refused_with_the_layers_there_are(make_recipe):
    with pytest.raises(RecipeError, match="no layer is called stem.* conv_stem, bn1, blocks"):
        LesionModule(make_recipe(["model.frozen=['stem']"]), COUNTS)


def test_a_loss_that_is_not_a_number_stops_training_with_what_to_change(make_recipe):
    module = LesionModule(make_recipe(), COUNTS)
    module.on_fit_start()
    with pytest.raises(FloatingPointError, match=r"loss became nan in epoch 0\. Lower optimizer\.lr"):
        module.training_step((torch.full((2, 3, 48, 48), math.nan), torch.tensor([0, 1])), 0)


def test_weights_in_the_checkpoint_keep_their_names(make_recipe):
    names = set(LesionModule(make_recipe(), COUNTS).state_dict())
    assert {"log_prior", "loss.weight", "network.head.1.weight", "network.backbone.conv_stem.weight"} <= names
    assert {name.split(".")[0] for name in names} == {"log_prior", "loss", "network"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["augment.sides_pixels=[[0, 64], [1, 32]]"],
            r"^cnn_150 cannot take .* 32 pixels \(.*\)\. Raise augment\.",
        ),
        (["preprocess.side_pixels=32"], r"^cnn_150 cannot take .* 32 pixels \(.*\)\. Raise preprocess\.side_pixels\.$"),
    ],
)
def test_a_side_that_the_backbone_cannot_take_is_refused_before_training(make_recipe, overrides, said):
    with pytest.raises(RecipeError, match=said) as caught:
        LesionModule(make_recipe(["model.backbone=cnn_150", *overrides]), COUNTS)
    assert "\n" not in str(caught.value)


def test_a_batch_of_one_image_is_refused_where_the_norms_cannot_learn_from_it(make_recipe):
    one, small = "trainer.batch_size=1", "augment.sides_pixels=[[0, 32]]"
    with pytest.raises(RecipeError, match=r"^tiny has norms that cannot .* 32 pixels at a time\. Raise trainer"):
        LesionModule(make_recipe([one, small]), COUNTS)
    assert LesionModule(make_recipe([one]), COUNTS).training
    LesionModule(make_recipe([small]), COUNTS)
    LesionModule(make_recipe([one, small, "trainer.devices=2", "trainer.accelerator=cpu"]), COUNTS)
