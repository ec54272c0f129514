"""Where the model looked: the heat map of a class over the square, from the graph's own output."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.transforms.preprocess import SquarePixels

Heat = NDArray[np.float32]  # [height, width], 0..1, the maximum is 1 unless all is 0

_COLOURS: Final = np.array(
    [
        (0, 0, 4),
        (33, 12, 74),
        (87, 16, 110),
        (138, 34, 106),
        (188, 55, 84),
        (228, 90, 49),
        (249, 142, 9),
        (249, 203, 53),
        (252, 255, 164),
    ]
)
"""Nine evenly spaced colours of "inferno" by N. Smith and S. van der Walt (2015, CC0): as the heat grows the
lightness grows evenly, so that it is read alike in grey and by the colour-blind."""

OPACITY: Final = 0.65
"""Of the colour where the heat is 1; it falls with the heat, so that what did not count stays visible as it is."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The heat map of one class on the square that the model saw."""

    code: str
    """The class whose evidence is shown: the most probable one."""
    heat: Heat
    """[S, S], 0..1."""
    square: SquarePixels
    """[S, S, 3], RGB."""

    def overlay(self) -> Image.Image:
        """The square with the heat laid over it, RGB."""
        opacity = OPACITY * self.heat[:, :, None]
        mixed = (1 - opacity) * self.square + opacity * colours(self.heat)
        return Image.fromarray(np.rint(mixed).astype(np.uint8))

    def png(self) -> bytes:
        """The overlay as a PNG file."""
        buffer = io.BytesIO()
        self.overlay().save(buffer, "PNG")
        return buffer.getvalue()


def explain(heatmap: Heat, square: SquarePixels, *, code: str) -> Explanation:
    """The heat map [h, w] of a graph, its negative part dropped, brought to 0..1 and to the side of the square."""
    positive = np.maximum(heatmap.astype(np.float32), 0)
    side = square.shape[0]
    resized = np.asarray(Image.fromarray(positive).resize((side, side), Image.Resampling.BICUBIC))
    clipped = np.maximum(resized, 0)  # bicubic overshoots at edges
    highest = float(clipped.max())
    return Explanation(code, clipped / highest if highest > 0 else clipped, square)


def colours(heat: Heat) -> NDArray[np.float64]:
    """Colours [height, width, 3] 0..255 of heat 0..1, linear between those of the table."""
    position = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(heat, position, _COLOURS[:, channel]) for channel in range(3)], axis=-1)
