"""The layers over the square: the heat map as a transparent picture and the outline as a polygon."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dermalens.predict.explain import Explanation, colours
from dermalens.predict.prediction import Prediction
from dermalens.serve.api.answers import data_uri

OUTLINE_SIDE = 1000
"""Of the square in the units of the polygon."""


@dataclass(frozen=True, slots=True)
class Layers:
    """What the page lays over each other; pictures are data URIs."""

    side: int
    """Of the square, in pixels of the pictures."""
    code: str
    """The class whose evidence the heat map shows."""
    base: str
    heat: str
    outline: str | None
    """The points of the polygon; None where no outline was found."""


def layers_of(prediction: Prediction) -> Layers | None:
    """The layers of an answer; None where it has no heat map, as one that abstains."""
    explanation = prediction.explanation
    if explanation is None:
        return None
    return Layers(
        side=len(explanation.square),
        code=explanation.code,
        base=_png_uri(Image.fromarray(explanation.square)),
        heat=_png_uri(heat_picture(explanation)),
        outline=_points(prediction),
    )


def heat_picture(explanation: Explanation) -> Image.Image:
    """The heat [S, S] in its colours, the more transparent the less there is of it; RGBA."""
    opacity = 255 * np.sqrt(explanation.heat)  # so that little heat, a dark colour, does not vanish on dark lesions
    return Image.fromarray(np.rint(np.dstack([colours(explanation.heat), opacity])).astype(np.uint8))


def _points(prediction: Prediction) -> str | None:
    if prediction.drawing is None:
        return None
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in prediction.drawing.outline.polygon * OUTLINE_SIDE)


def _png_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)  # it goes over the wire once, and is made in every answer
    return data_uri(buffer.getvalue())
