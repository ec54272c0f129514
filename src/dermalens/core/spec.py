"""The preprocessing spec: how a picture becomes the square that a model sees. It travels in the bundle.

Lengths of the cleaning steps are shares of the shorter side, so that a picture of 256 pixels and one of 4000 are
treated alike; grey levels are those of 8 bits, 0 to 255.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Fill = Literal["skin", "black"]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Median(_Part):
    """Noise: each value becomes the median of its neighbourhood; takes out single bright and dark pixels."""

    step: Literal["median"] = "median"
    """Names the step; always given in a recipe."""
    window: float = Field(default=0.012, gt=0, le=0.1)
    """Side of the neighbourhood as a share of the shorter side; 3 pixels at least."""


class Bilateral(_Part):
    """Noise: mean of near pixels of like colour, so that edges stay. Tomasi and Manduchi, ICCV 1998."""

    step: Literal["bilateral"] = "bilateral"
    """Names the step; always given in a recipe."""
    window: float = Field(default=0.04, gt=0, le=0.1)
    """Diameter of the neighbourhood as a share of the shorter side; its Gaussian has a quarter of that as sigma."""
    colour_sigma: float = Field(default=20.0, gt=0, le=255)
    """How far apart, in grey levels, two colours may be and still be averaged."""


class NonLocalMeans(_Part):
    """Noise: mean of patches that look alike, wherever they lie. Buades, Coll and Morel, CVPR 2005."""

    step: Literal["non_local_means"] = "non_local_means"
    """Names the step; always given in a recipe."""
    strength: float = Field(default=4.0, gt=0, le=50)
    """Filter strength in grey levels, about the standard deviation of the noise."""
    patch: float = Field(default=0.02, gt=0, le=0.1)
    """Side of the patches as a share of the shorter side; 3 pixels at least."""
    search: float = Field(default=0.08, gt=0, le=0.2)
    """Side of the square that is searched as a share of the shorter side; the time grows with its square."""


class Hair(_Part):
    """Dark hairs: thin dark lines are found by black-hat morphology and painted over from their sides.

    After DullRazor (Lee et al., Computers in Biology and Medicine 27, 1997); inpainting of Telea, 2004.
    """

    step: Literal["hair"] = "hair"
    """Names the step; always given in a recipe."""
    width: float = Field(default=0.03, gt=0, le=0.1)
    """Widest line that counts as a hair, as a share of the shorter side; 3 pixels at least."""
    length: float = Field(default=0.1, gt=0, le=0.5)
    """Shortest straight run that counts as a hair, as a share of the shorter side; lines of a naevus are shorter."""
    contrast: float = Field(default=10.0, gt=0, le=255)
    """How much darker, in grey levels, a hair is than what lies beside it."""
    margin: float = Field(default=0.004, ge=0, le=0.05)
    """By how much what was found is widened on each side, as a share of the shorter side."""


class DarkBorder(_Part):
    """The dark surround of the dermatoscope's field: dark regions that reach a corner are filled.

    Never within 0.35 of the shorter side from the centre, whatever touches there: the lesion stays.
    """

    step: Literal["dark_border"] = "dark_border"
    """Names the step; always given in a recipe."""
    darkness: float = Field(default=0.35, gt=0, lt=1)
    """Dark is a luminance below this share of the picture's median luminance."""
    margin: float = Field(default=0.02, ge=0, le=0.2)
    """By how much the region is widened, as a share of the shorter side: its edge is soft."""
    fill: Fill = "skin"
    """skin takes the median colour of the field beside the dark region."""


class Background(_Part):
    """Everything but the lesion is filled: Otsu's threshold, then the region nearest to the centre.

    Otsu, IEEE Transactions on Systems, Man and Cybernetics 9, 1979. A picture in which no such region is found (under
    1 % or over 90 % of the area) stays as it is.
    """

    step: Literal["background"] = "background"
    """Names the step; always given in a recipe."""
    margin: float = Field(default=0.05, ge=0, le=0.5)
    """Skin that is kept around the lesion, as a share of the shorter side."""
    fill: Fill = "skin"
    """skin takes the median colour of what is masked."""


class ShadesOfGrey(_Part):
    """Colour constancy: the channels are scaled until their p-norm means are equal. Finlayson and Trezzi, CIC 2004."""

    step: Literal["shades_of_grey"] = "shades_of_grey"
    """Names the step; always given in a recipe."""
    p: float = Field(default=6.0, ge=1, le=20)
    """Power of the mean: 1 is grey world, large values near the brightest patch; 6 did best in the paper."""


CleanStep = Annotated[
    Median | Bilateral | NonLocalMeans | Hair | DarkBorder | Background | ShadesOfGrey, Field(discriminator="step")
]
"""One cleaning step; `dermalens.transforms.clean` has the function of each."""

EVERY_STEP: Final[tuple[CleanStep, ...]] = (
    Median(),
    Bilateral(),
    NonLocalMeans(),
    Hair(),
    DarkBorder(),
    Background(),
    ShadesOfGrey(),
)
"""Each step once, with its default parameters."""


class PreprocessSpec(_Part):
    """The square: its side, how it is cut, how it is resized (always antialiased) and how it is cleaned."""

    side_pixels: int = Field(ge=32, le=1024)
    """Side of the square that the model sees."""
    crop: Literal["centre"] = "centre"
    """The largest centred square of the upright picture."""
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    """Pillow's filter of that name, whose support grows with the reduction (antialiasing)."""
    clean: list[CleanStep] = Field(default=[], max_length=20)
    """Cleaning steps of the resized square, in this order, such as `[{step = "hair"}, {step = "shades_of_grey"}]`."""
