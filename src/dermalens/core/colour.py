"""Any colour of a picture file to sRGB, 8 bit: bit depth, alpha, colour profile, CMYK, palette, grey."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image, ImageCms, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from dermalens.core.errors import ImageError

NOTE_16_BIT: Final = "16-bit was reduced to 8 bit."
NOTE_ALPHA: Final = "Alpha was laid on white."
NOTE_BAD_PROFILE: Final = "The colour profile is damaged or does not fit and was ignored."

_MODE_OF_PROFILE: Final = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_GREY_MODES: Final = ("1", "L", "LA")
_NOT_READ: Final = {
    "I": "32-bit pixels, whose range is not known",
    "F": "floating-point pixels, whose range is not known",
    "LAB": "Lab colours",
    "La": "grey with premultiplied alpha",
}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _BLACK_IS_ZERO = 258, 262, 1  # TIFF 6.0


def is_16_bit(picture: Image.Image) -> bool:
    """Whether the file has 16 bits a channel; for RGB only known before the pixels are loaded."""
    if picture.mode.startswith("I;16"):
        return True
    if picture.format not in ("PNG", "TIFF") or not isinstance(picture, ImageFile.ImageFile):
        return False
    return any(";16" in str(tile.args) for tile in picture.tile)


def to_srgb(picture: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The loaded picture as RGB in sRGB, and notes on what was done to it; the given picture is left as it is.

    Raises:
        ImageError: the pixels are Lab colours, or 32-bit or floating-point numbers, whose range nobody states.
    """
    profile = picture.info.get("icc_profile")
    narrow = _to_8_bit(picture)
    flat, notes = _on_white(narrow)
    if profile:
        flat, note = _through_profile(flat, profile, is_grey=narrow.mode in _GREY_MODES)
        notes += note
    return (flat if flat.mode == "RGB" else flat.convert("RGB")), notes


def _to_8_bit(picture: Image.Image) -> Image.Image:
    if picture.mode in _NOT_READ:
        raise ImageError(
            f"The picture has {_NOT_READ[picture.mode]}; needed is RGB or grey of 8 or 16 bits a channel. "
            "Save it as PNG or JPEG."
        )
    if not picture.mode.startswith("I;16"):
        return picture
    if isinstance(picture, TiffImageFile):
        _check_grey_tiff(picture)
    # The high byte, as Pillow takes it for 16-bit RGB: right for x * 257 as well as for x * 256.
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _check_grey_tiff(picture: TiffImageFile) -> None:
    bits = picture.tag_v2.get(_BITS_PER_SAMPLE, (1,))
    if tuple(bits) != (16,) or picture.tag_v2.get(_PHOTOMETRIC) != _BLACK_IS_ZERO:
        raise ImageError(
            f"The TIFF has grey values of {bits[0]} bits or white as zero; needed are 8 or 16 bits with black as zero. "
            "Save it as PNG or JPEG."
        )


def _on_white(picture: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    if not picture.has_transparency_data:
        return picture, ()
    layers = picture if picture.mode == "RGBA" else picture.convert("RGBA")  # a copy takes 4 bytes a pixel
    alpha = layers.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return layers.convert("RGB"), ()
    flat = Image.new("RGB", layers.size, "white")
    flat.paste(layers, mask=alpha)
    return flat, (NOTE_ALPHA,)


def _through_profile(picture: Image.Image, content: bytes, *, is_grey: bool) -> tuple[Image.Image, tuple[str, ...]]:
    """Colours as the embedded ICC profile means them; a picture that is sRGB already passes unchanged.

    `is_grey` says whether the file has grey alone: `picture` is RGB where its alpha was laid on white.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(content))
        name = str(source.profile.profile_description or "unnamed")
        if _is_srgb(name.lower()):
            return picture, ()
        mode = _MODE_OF_PROFILE[source.profile.xcolor_space]
        if (mode == "CMYK") != (picture.mode == "CMYK") or (mode == "L" and not is_grey):
            return picture, (NOTE_BAD_PROFILE,)
        converted = ImageCms.profileToProfile(
            picture.convert(mode),
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, KeyError, ValueError, TypeError, ImageCms.PyCMSError):
        return picture, (NOTE_BAD_PROFILE,)
    if converted is None:
        return picture, (NOTE_BAD_PROFILE,)
    return converted, (f"The colours were converted from the profile {_printable(name)!r} to sRGB.",)


def _is_srgb(name: str) -> bool:
    """By its name in small letters; with a linear tone curve ("g10": a gamma of 1.0) it shares the primaries alone."""
    return "srgb" in name and "linear" not in name and "g10" not in name


def _printable(name: str) -> str:
    """A name out of a file, fit to be shown in a line."""
    return "".join(letter for letter in name if letter.isprintable())[:60].strip()
