"""The cleaning steps of a preprocessing spec, applied in order; each is a pure function of pixels and its parameters.

They work on the square after it was resized. Before, they would cost what the photograph is large, and depend on how
much of it the decoder had reduced already; after, each takes the same time for every picture, and what it wipes out is
what the model could have seen. Evaluation and inference clean the same pixels. Training does not: it cleans a square of
1.15 times the training side, before that is warped and cut, and with progressive sides a smaller one at first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dermalens.core.spec import CleanStep
from dermalens.transforms.clean_colour import shades_of_grey
from dermalens.transforms.clean_hair import remove_hair
from dermalens.transforms.clean_mask import mask_background, mask_dark_border
from dermalens.transforms.clean_noise import bilateral, median, non_local_means
from dermalens.transforms.clean_opencv import Pixels, check_opencv

CLEANERS: Final[Mapping[str, Callable[..., Pixels]]] = {
    "median": median,
    "bilateral": bilateral,
    "non_local_means": non_local_means,
    "hair": remove_hair,
    "dark_border": mask_dark_border,
    "background": mask_background,
    "shades_of_grey": shades_of_grey,
}
"""Name of a step to its function of pixels and the step."""

WITHOUT_OPENCV: Final = frozenset({"shades_of_grey"})


def clean(pixels: Pixels, steps: Sequence[CleanStep]) -> Pixels:
    """The pixels after all steps; `pixels` itself, which is never changed, where there are none.

    Raises:
        MissingExtraError: a step needs OpenCV, which is not installed.
    """
    for step in steps:
        pixels = CLEANERS[step.step](pixels, step)
    return pixels


def check_cleaning(steps: Sequence[CleanStep]) -> None:
    """Find out before the first image whether the steps can be carried out here.

    Raises:
        MissingExtraError: a step needs OpenCV, which is not installed.
    """
    for step in steps:
        if step.step not in WITHOUT_OPENCV:
            check_opencv(step.step)
