"""Pixels are taken away, or brought in, in the order of a heat map: deletion and insertion curves.

V. Petsiuk, A. Das, K. Saenko, RISE: randomized input sampling for explanation of black-box models, BMVC 2018: as the
hottest pixels go, the probability of the class should fall fast (a small area under the deletion curve); as they come
first, it should rise fast (a large area under the insertion curve).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dermalens.predict.explain import Heat
from dermalens.predict.session import Squares
from dermalens.transforms.preprocess import SquarePixels

Baseline = Callable[[SquarePixels], SquarePixels]
"""What a square [S, S, 3] is replaced by, pixel for pixel."""
Ask = Callable[[Squares], NDArray[np.float64]]
"""Squares [n, S, S, 3] to the probability of the class that is explained [n]."""

BLUR: Final = 0.1
"""Sigma of the blurred baseline as a share of the side: what is left of a lesion is a shade without structure."""


@dataclass(frozen=True, slots=True)
class PixelCurve:
    """The probability of a class as pixels are replaced in the order of a heat map."""

    shares: NDArray[np.float64]
    """[steps + 1] of the pixels that are replaced, from 0 to 1."""
    probabilities: NDArray[np.float64]
    """[steps + 1]."""

    @property
    def area(self) -> float:
        """Under the curve, by trapezoids; between 0 and 1."""
        return float(np.trapezoid(self.probabilities, self.shares))


def blurred(square: SquarePixels) -> SquarePixels:
    """The square under a wide Gaussian blur: colours stay about where they are, structure goes."""
    sigma = BLUR * square.shape[0]
    return np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(sigma)))


def mean_colour(square: SquarePixels) -> SquarePixels:
    """The mean colour of the square everywhere."""
    return np.broadcast_to(np.rint(square.mean(axis=(0, 1))).astype(np.uint8), square.shape)


def replaced(first: SquarePixels, last: SquarePixels, heat: Heat, *, steps: int) -> Squares:
    """Squares [steps + 1, S, S, 3] from `first` to `last`, the hottest pixels first, ties from the upper left on."""
    order = np.argsort(-heat, axis=None, kind="stable")
    frames = np.repeat(first.reshape(1, -1, 3), steps + 1, axis=0)
    for step, frame in enumerate(frames):
        chosen = order[: round(step * len(order) / steps)]
        frame[chosen] = last.reshape(-1, 3)[chosen]
    return frames.reshape(steps + 1, *first.shape)


def pixel_curve(ask: Ask, first: SquarePixels, last: SquarePixels, heat: Heat, *, steps: int) -> PixelCurve:
    """The probabilities on the way; from the square to its baseline it is deletion, the way back insertion."""
    return PixelCurve(np.linspace(0, 1, steps + 1), ask(replaced(first, last, heat, steps=steps)))


def random_like(heat: Heat, random: np.random.Generator) -> Heat:
    """A random map [h, w] with the power spectrum of `heat`, so that it is as smooth; mean and variance stay, too.

    The phases are those of white noise. J. Theiler et al., Testing for nonlinearity in time series: the method of
    surrogate data, Physica D 58:77, 1992.
    """
    noise = np.fft.rfft2(random.standard_normal(heat.shape))
    size = np.abs(noise)
    phases = np.divide(noise, size, out=np.ones_like(noise), where=size > 0)
    spectrum = np.fft.rfft2(heat)
    surrogate = np.abs(spectrum) * phases
    surrogate[0, 0] = spectrum[0, 0]
    return np.asarray(np.fft.irfft2(surrogate, s=heat.shape), dtype=np.float32)
