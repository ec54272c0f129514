"""A run is a recipe: one complete, strict TOML file, read without torch.

The attribute docstrings are the reference of the recipe's keys (`docs/reference/recipe.md` is made from them).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dermalens.core.errors import RecipeError
from dermalens.core.spec import EVERY_STEP, PreprocessSpec
from dermalens.core.taxonomy import CLASSES, malignant_of, needed_order
from dermalens.transforms.augment_spec import Augment


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Data(_Part):
    """What is trained on."""

    split: str
    """CSV written by `dermalens data split`; its train part is learned from, its val part selects."""
    extra: list[str] = []
    """Further indices whose images all go to the train part."""
    fold: int | None = Field(default=None, ge=0)
    """Cross-validation: this fold of the split is held out instead of the val part."""
    left_out: int | None = Field(default=None, ge=0)
    """Stacking: the images of this fold are not learned from, so that they can be predicted; the val part selects."""
    workers: int = Field(default=1, ge=0)
    """Processes that decode, on each device's behalf; the random changes are made on the device."""
    decoded: str = ""
    """Folder that keeps the training images decoded, made when needed, for a GPU that outruns the decoder: 10,000 at a
    training side of 224 take 2.0 GB; "/dev/shm" is memory; "" decodes anew in every epoch."""


class Model(_Part):
    """The network."""

    backbone: str
    """A name of `dermalens.models.backbones.BACKBONES`."""
    weights: str = "none"
    """"package" (the weight package that the backbone names), "timm" (hub download), "none", or a file."""
    hidden: int = Field(default=0, ge=0)
    """Width of a hidden layer (linear, ReLU, dropout) before the last; 0 for a linear head."""
    pooling: Literal["mean", "flatten"] = "mean"
    """What the head takes: the mean of each feature map, or every cell of them, which fixes the side of the images."""
    single_logit: bool = False
    """One output z for two classes, whose logits are 0 and z: binary cross-entropy, and the sigmoid of z."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Dropout in the head."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Stochastic depth in the backbone."""
    frozen: list[str] = []
    """Prefixes of backbone parameters that never learn, such as "conv_stem" or "blocks.0"."""


class Balance(_Part):
    """Class imbalance: handle it once, not with two of these at full strength."""

    sampler_power: float = Field(default=0.0, ge=0, le=1)
    """0 draws every image once an epoch; 1 draws every class equally often; 0.5 lies between."""
    weight_power: float = Field(default=0.0, ge=0, le=1)
    """0 weighs every image alike; 1 weighs a class by one over its frequency."""
    logit_adjustment: float = Field(default=0.0, ge=0, le=2)
    """Strength of the prior correction of the logits when the validation part selects an epoch (Menon et al. 2021);
    that of a bundle is chosen when it is made: `dermalens export --prior-correction`."""


class Teacher(_Part):
    """Distillation: what trained networks say of an image is learned beside its label."""

    runs: list[str] = []
    """Folders of finished runs with the same classes, the mean of whose logits teaches; none by default."""
    weight: float = Field(default=0.5, gt=0, le=1)
    """Share of the teacher in the loss; the rest is that of the labels."""
    temperature: float = Field(default=1.0, ge=1)
    """Softens the probabilities of both before they are compared; 1 takes them as they are."""


class Optimizer(_Part):
    """How the network learns."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    """The optimiser."""
    lr: float = Field(gt=0)
    """Highest learning rate."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Of weight matrices and kernels; norms and biases are not decayed."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """For sgd (Nesterov); the others do not use it."""
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    """cosine falls to zero over all steps; plateau divides by ten after more than
    `plateau_patience` epochs without gain."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """The learning rate first rises in a straight line for this many epochs; not with plateau."""
    plateau_patience: int = Field(default=2, ge=0)
    """Epochs without gain that plateau bears; the one after them lowers the rate."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes."""
    gradient_clip: float = Field(default=0.0, ge=0)
    """Largest norm of the gradient; 0 for none."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Exponential moving average of the weights, validated and kept instead of the last ones; 0 for none."""


class Trainer(_Part):
    """Budget and machine."""

    epochs: int = Field(ge=1)
    """Longest training; an epoch draws as many images as the train part has."""
    head_epochs: int = Field(default=0, ge=0)
    """The first phase: only the head learns for this many epochs, then everything does."""
    batch_size: int = Field(ge=1)
    """Images in one forward pass, per device."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up before a step."""
    early_stopping_patience: int = Field(default=0, ge=0)
    """Epochs without a better validation balanced accuracy before training stops; 0 for never."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """auto takes a GPU where there is one."""
    devices: int = Field(default=1, ge=1)
    """Processes, one a GPU, on this machine; more than one trains with Lightning's DDP."""
    nodes: int = Field(default=1, ge=1)
    """Machines; start the same command on each under torchrun or Slurm."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """The mixed ones are automatic mixed precision."""
    compile: bool = False
    """torch.compile the network for training; needs a C++ compiler; 1.3 times faster on two CPU cores."""


class Recipe(_Part):
    """A complete run."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    """Names the run folder and later the bundle."""
    description: str
    """One sentence for people."""
    seed: int = Field(ge=0, lt=2**32)
    """All that is random follows from it."""
    classes: list[str] = list(CLASSES)
    """Class codes in the order of the output; ["benign", "malignant"] takes the seven diagnoses for these two."""
    preprocess: PreprocessSpec
    """The square that the model sees when it predicts."""
    data: Data
    """What is trained on."""
    model: Model
    """The network."""
    balance: Balance = Balance()
    """Class imbalance."""
    augment: Augment
    """Random changes of training images."""
    teacher: Teacher = Teacher()
    """Distillation: what trained networks say of an image is learned beside its label."""
    optimizer: Optimizer
    """How the network learns."""
    trainer: Trainer
    """Budget and machine."""

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        balance, optimizer, trainer = self.balance, self.optimizer, self.trainer
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise ValueError("classes needs at least two codes, none of them twice")
        if tuple(self.classes) != needed_order(self.classes):
            given, needed = " ".join(self.classes), " ".join(needed_order(self.classes))
            raise ValueError(f"classes are in the order {given}; needed is {needed}")
        if self.data.fold is not None and self.data.left_out is not None:
            raise ValueError("data.fold and data.left_out were both given; choose one")
        if balance.sampler_power + balance.weight_power > 1:
            raise ValueError("balance.sampler_power and balance.weight_power together may be 1 at most")
        if trainer.head_epochs > trainer.epochs:
            raise ValueError("trainer.head_epochs may not exceed trainer.epochs")
        if optimizer.warmup_epochs and optimizer.schedule == "plateau":
            raise ValueError("optimizer.warmup_epochs has no effect with the plateau schedule: set it to 0")
        if optimizer.warmup_epochs >= trainer.epochs:
            raise ValueError("optimizer.warmup_epochs must be less than trainer.epochs")
        if trainer.precision == "16-mixed" and trainer.accelerator == "cpu":
            raise ValueError('trainer.precision "16-mixed" needs a GPU: use "bf16-mixed" or "32-true"')
        return self

    @model_validator(mode="after")
    def _fits_a_bundle(self) -> Recipe:
        if self.name in ("gate", "outline"):
            raise ValueError(f"name may not be {self.name}, which a bundle calls another graph")
        malignant = malignant_of(self.classes)
        if not malignant or len(malignant) == len(self.classes):
            raise ValueError("classes needs at least one that is malignant and one that is not")
        return self

    @model_validator(mode="after")
    def _head_fits(self) -> Recipe:
        side = self.preprocess.side_pixels
        if self.model.single_logit and len(self.classes) != 2:
            raise ValueError(f"model.single_logit needs two classes, given are {len(self.classes)}")
        if self.model.pooling == "flatten" and {trained for _, trained in self.augment.sides_pixels} != {side}:
            raise ValueError(
                f'model.pooling "flatten" needs augment.sides_pixels = [[0, {side}]], the side of preprocess'
            )
        return self


def read_recipe(source: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides such as `optimizer.lr=1e-4` (the value is written as in TOML).

    Raises:
        RecipeError: names the file and the path of the first keys that are wrong.
    """
    return parse_recipe(read_content(source, overrides), where=str(source))


def read_content(source: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The tables of a TOML file after the overrides, not yet checked.

    Raises:
        RecipeError: no such file, not TOML, or an override that is none.
    """
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise RecipeError(f"No recipe at {source}. The repository's recipes are in recipes/.") from error
    except OSError as error:
        raise RecipeError(f"{source} cannot be read: {error.strerror}. Needed is a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{source} is not TOML: {error}") from error
    for override in overrides:
        _apply(content, override)
    return content


def parse_recipe(content: Mapping[str, Any], *, where: str) -> Recipe:
    """Check the tables of a recipe; `where` stands before what is wrong with them.

    Raises:
        RecipeError: names the path of the first keys that are wrong.
    """
    try:
        return Recipe.model_validate_json(json.dumps(content, default=str).encode())
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors()[:5])
        raise RecipeError(f"{where}: {problems}") from error


def _problem(item: Any) -> str:
    path = ".".join(str(step) for step in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"unknown key {path}; there are {', '.join(_keys_beside(item['loc'][:-1]))}"
    if item["type"] == "missing":
        return f"missing key {path}"
    return f"{path or 'recipe'}: {item['msg']}, given {item['input']!r}" if path else str(item["msg"])


def _keys_beside(path: Sequence[str | int]) -> list[str]:
    """The keys of the table at `path`, in which a cleaning step stands after its number."""
    model: type[BaseModel] = Recipe
    for step in path:
        field = model.model_fields.get(str(step))
        annotation = field.annotation if field else _STEPS.get(str(step))
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)


_STEPS: Final[Mapping[str, type[BaseModel]]] = {step.step: type(step) for step in EVERY_STEP}


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise RecipeError(f"--set {override}: needed is KEY=VALUE, such as optimizer.lr=1e-4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.strip().split(".")
    for step in path:
        content = content.setdefault(step, {})
        if not isinstance(content, dict):
            raise RecipeError(f"--set {override}: {step} is not a table of the recipe")
    content[last] = value
