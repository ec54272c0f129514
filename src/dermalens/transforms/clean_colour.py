"""Colour constancy, uint8 [height, width, 3] to the same; numpy only."""

from __future__ import annotations

import numpy as np

from dermalens.core.spec import ShadesOfGrey
from dermalens.transforms.clean_opencv import Pixels


def shades_of_grey(pixels: Pixels, step: ShadesOfGrey) -> Pixels:
    """The picture under a white light: each channel divided by its share of the light's colour, clipped at 255.

    The light's colour is (mean of the channel ** p) ** (1 / p), scaled to the length sqrt(3), so that a grey light
    changes nothing. Values are taken as they are stored (sRGB), as in G. D. Finlayson and E. Trezzi, Shades of gray
    and colour constancy, Color Imaging Conference 2004. A channel that is black everywhere stays so.
    """
    scaled = pixels.reshape(-1, 3) / 255
    light = (scaled**step.p).mean(axis=0) ** (1 / step.p)
    if not light.all():
        return pixels.copy()
    light *= np.sqrt(3) / np.linalg.norm(light)
    return np.asarray(np.rint(np.minimum(pixels / light, 255)), dtype=np.uint8)
