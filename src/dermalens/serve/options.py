"""What a request may ask of an image, as query parameters or as fields of the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dermalens.core.square import Square
from dermalens.predict.prevalence import LEAST, MOST
from dermalens.serve.answering import Order
from dermalens.serve.days import Day
from dermalens.serve.errors import invalid
from dermalens.serve.typed import Typed

_NUMBER: Final = r"\d{1,6}(?:\.\d{1,6})?"
SQUARE_PATTERN: Final = f"^{_NUMBER},{_NUMBER},{_NUMBER}$"


class ImageOptions(BaseModel):
    """Where on the picture to look."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    square: str | None = Field(default=None, pattern=SQUARE_PATTERN, examples=["75,0,450"])
    """Left, upper and side of the square that the model is to see, in pixels of the upright picture, with commas; its
    centre square otherwise."""

    @property
    def place(self) -> Square | None:
        """The square."""
        return Square(*(float(part) for part in self.square.split(","))) if self.square else None


class JudgingOptions(ImageOptions):
    """What is asked of each image of a batch."""

    outline: bool = False
    """Add the outline of the lesion and its measures."""
    operating_point: str | None = Field(default=None, max_length=100)
    """A threshold of the bundle other than its default; `/v1/model` lists them."""
    prevalence: float | None = Field(default=None, ge=LEAST, le=MOST, examples=[0.03])
    """Malignant share among the lesions that are seen, to which probabilities and threshold are shifted."""
    anyway: bool = False
    """Give outline, heat map and similar cases even where the decision is to abstain."""
    millimetres_per_pixel: float | None = Field(default=None, gt=0, le=1000)
    """Length on the skin of a pixel of the original picture; only with the outline."""


class PredictionOptions(JudgingOptions):
    """What is asked of one image."""

    heatmap: bool = False
    """Add where the model looked, as a PNG in a data URI."""
    name: str = Field(default="", max_length=200)
    """What the answer calls the image; names of files are never used."""
    keep: bool = False
    """Keep the case: image without metadata, answer and what follows; needs the scope records."""
    age_years: float | None = Field(default=None, ge=0, le=130)
    """Kept with the case."""
    sex: Literal["male", "female", "unknown"] = "unknown"
    """Kept with the case."""
    site: str = Field(default="", max_length=200)
    """Where on the body; kept with the case."""
    lesion: str = Field(default="", max_length=200)
    """Your name for one lesion of one patient, such as "P17 left forearm 1": cases of the same name are compared over
    time."""
    note: Typed = ""
    """Kept with the case."""
    taken_on: Day | None = None
    """The day on which the picture was taken, such as 2026-01-31, where that is not today; kept with the case."""

    def order(self, image: bytes) -> Order:
        """The order for an image."""
        return Order(
            image,
            name="".join(letter for letter in self.name if letter.isprintable()),
            heatmap=self.heatmap,
            outline=self.outline,
            operating_point=self.operating_point,
            prevalence=self.prevalence,
            square=self.place,
            anyway=self.anyway,
            millimetres_per_pixel=self.millimetres_per_pixel,
            as_png=True,
        )


PredictionQuery = Annotated[PredictionOptions, Query()]
JudgingQuery = Annotated[JudgingOptions, Query()]
ImageQuery = Annotated[ImageOptions, Query()]

Options = TypeVar("Options", bound=ImageOptions)


def with_fields(options: Options, fields: Mapping[str, Any]) -> Options:
    """The options of the query with those of the form in their place.

    Raises:
        Refusal: a field is unknown or its value cannot be used.
    """
    if not fields:
        return options
    try:
        return type(options).model_validate({**options.model_dump(exclude_unset=True), **fields})
    except ValidationError as error:
        raise invalid(list(error.errors(include_url=False, include_input=False))) from error


def order_of_job(image: bytes, options: dict[str, Any]) -> Order:
    """The order for an image of a batch, from the options that were put down with it.

    Raises:
        Refusal: another version of DermaLens put down what this one does not know.
    """
    return with_fields(PredictionOptions(), options).order(image)
