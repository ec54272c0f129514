"""Any colour becomes sRGB of 8 bits, right in brightness and hue."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from dermalens.core.colour import NOTE_16_BIT, NOTE_ALPHA, NOTE_BAD_PROFILE
from dermalens.core.image import decode, from_picture


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decode(data, wanted_side_pixels=32).picture).astype(int)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An RGB profile whose red is green and whose green is red, under another name."""
    swapped = srgb_profile().replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def named(profile: bytes, name: str) -> bytes:
    """The profile of Pillow's sRGB under another name of up to 13 letters."""
    return profile.replace("sRGB built-in".encode("utf-16-be"), f"{name:13}".encode("utf-16-be"))


def grey_profile() -> bytes:
    """A grey profile with the tone curve of sRGB's red, which Pillow does not make."""
    wanted = {b"desc", b"wtpt", b"cprt", b"kTRC"}
    given = srgb_profile().replace("sRGB".encode("utf-16-be"), "grey".encode("utf-16-be")).replace(b"rTRC", b"kTRC")
    tags = [given[start : start + 12] for start in range(132, 132 + 12 * int.from_bytes(given[128:132], "big"), 12)]
    kept = [tag for tag in tags if tag[:4] in wanted]
    table = struct.pack(">I", len(kept)) + b"".join(kept) + bytes(12 * (len(tags) - len(kept)))
    return given[:16] + b"GRAY" + given[20:128] + table + given[132 + 12 * len(tags) :]


def png_16_bit(colour_type: int, values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write for colours."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_is_scaled_and_not_clipped(colour_type, channels):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    values = np.repeat(np.tile(ramp, (40, 1))[..., None], channels, axis=2)
    if channels in (2, 4):
        values[..., -1] = 65535
    decoded = decode(png_16_bit(colour_type, values), wanted_side_pixels=32)
    assert decoded.notes == (NOTE_16_BIT,)
    assert np.abs(np.asarray(decoded.picture)[0, :, 1].astype(int) - ramp / 257).max() <= 1


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_16_bit_grey_tiff_is_scaled_and_not_clipped(encoded, compression):
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (40, 1))
    decoded = decode(encoded(Image.fromarray(ramp), "TIFF", compression=compression), wanted_side_pixels=32)
    assert decoded.notes == (NOTE_16_BIT,)
    assert np.abs(np.asarray(decoded.picture)[..., 0].astype(int) - ramp / 257).max() <= 1


def test_alpha_is_laid_on_white(drawn, encoded):
    clear = drawn().convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 0))
    decoded = decode(encoded(clear, "PNG"), wanted_side_pixels=32)
    assert decoded.notes == (NOTE_ALPHA,)
    assert np.asarray(decoded.picture).min() == 255


def test_half_transparent_grey_is_half_way_to_white(encoded):
    picture = Image.merge("LA", [Image.new("L", (40, 40), 100), Image.new("L", (40, 40), 128)])
    assert np.unique(pixels(encoded(picture, "PNG"))).tolist() == [177]  # 255 + (100 - 255) * 128 / 255


def test_transparent_colour_of_a_palette_is_laid_on_white(encoded):
    picture = Image.new("P", (40, 40), 1)
    picture.putpalette([0, 0, 0, 200, 10, 30])
    picture.paste(0, (0, 0, 40, 20))
    decoded = decode(encoded(picture, "PNG", transparency=0), wanted_side_pixels=32)
    assert decoded.picture.getpixel((5, 5)) == (255, 255, 255)
    assert decoded.picture.getpixel((5, 35)) == (200, 10, 30)
    assert decoded.notes == (NOTE_ALPHA,)


def test_alpha_that_hides_nothing_is_not_worth_a_note(drawn, encoded):
    decoded = decode(encoded(drawn().convert("RGBA"), "PNG"), wanted_side_pixels=32)
    assert decoded.notes == ()
    assert np.array_equal(np.asarray(decoded.picture), np.asarray(drawn()))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_bitmap_grey_and_palette_keep_their_colours(drawn, encoded, kind, mode):
    picture = drawn().convert(mode)
    assert np.array_equal(pixels(encoded(picture, kind)), np.asarray(picture.convert("RGB")))


def test_grey_jpeg_becomes_equal_channels(drawn, encoded):
    result = pixels(encoded(drawn().convert("L"), "JPEG"))
    assert (result[..., 0] == result[..., 2]).all()
    assert result.std() > 10


def test_cmyk_jpeg_as_adobe_writes_it_is_not_inverted(encoded):
    picture = Image.new("CMYK", (40, 40), (0, 200, 100, 20))
    result = pixels(encoded(picture, "JPEG", quality=100))
    assert np.abs(result - np.array([235, 51, 143])).max() <= 3  # (255 - ink) * (255 - black) / 255


def test_ycck_jpeg_is_read_by_its_adobe_marker(encoded):
    """The same samples are Y, Cb, Cr and K by the marker: 100, 128, 128 is neutral, and 155 once it is inverted."""
    stored = Image.new("CMYK", (40, 40), (255 - 100, 255 - 128, 255 - 128, 0))  # a file holds the inverse
    data = bytearray(encoded(stored, "JPEG", quality=100))
    data[data.index(b"Adobe") + 11] = 2
    result = pixels(bytes(data))
    assert np.abs(result - 155).max() <= 3


def test_colour_profile_is_converted_to_srgb_with_a_note(encoded):
    picture = Image.new("RGB", (40, 40), (200, 40, 40))
    decoded = decode(encoded(picture, "PNG", icc_profile=swapped_profile()), wanted_side_pixels=32)
    red, green, _ = np.asarray(decoded.picture)[0, 0].tolist()
    assert (red < 60, green > 180) == (True, True)
    assert "'swap" in decoded.notes[0]
    assert decoded.notes[0].endswith("to sRGB.")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_colour_profile_is_found_in_every_format(encoded, kind):
    result = pixels(encoded(Image.new("RGB", (40, 40), (200, 40, 40)), kind, icc_profile=swapped_profile()))
    assert result[20, 20, 1] > result[20, 20, 0] + 100


def test_picture_that_is_srgb_already_is_not_touched(drawn, encoded):
    decoded = decode(encoded(drawn(), "PNG", icc_profile=srgb_profile()), wanted_side_pixels=32)
    assert decoded.notes == ()
    assert np.array_equal(np.asarray(decoded.picture), np.asarray(drawn()))


@pytest.mark.parametrize("name", ["Linear sRGB", "sRGB linear", "sRGB-V2-g10"])
def test_linear_profile_with_the_primaries_of_srgb_is_obeyed(encoded, name):
    swapped = srgb_profile().replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
    picture = Image.new("RGB", (40, 40), (200, 30, 60))
    decoded = decode(encoded(picture, "PNG", icc_profile=named(swapped, name)), wanted_side_pixels=32)
    assert decoded.notes == (f"The colours were converted from the profile '{name}' to sRGB.",)
    assert decoded.picture.getpixel((20, 20)) != (200, 30, 60)


@pytest.mark.parametrize("profile", [b"no profile", srgb_profile()[:200]])
def test_broken_colour_profile_is_ignored_with_a_note(drawn, encoded, profile):
    decoded = decode(encoded(drawn(), "PNG", icc_profile=profile), wanted_side_pixels=32)
    assert decoded.notes == (NOTE_BAD_PROFILE,)
    assert np.array_equal(np.asarray(decoded.picture), np.asarray(drawn()))


def test_rgb_profile_on_cmyk_is_ignored_with_a_note(drawn, encoded):
    data = encoded(drawn().convert("CMYK"), "JPEG", icc_profile=swapped_profile())
    assert decode(data, wanted_side_pixels=32).notes == (NOTE_BAD_PROFILE,)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_grey_profile_on_a_colour_picture_is_ignored_with_a_note(drawn, encoded, mode):
    picture = drawn().convert(mode)
    if mode == "RGBA":
        picture.putalpha(128)
    plain = decode(encoded(picture, "PNG"), wanted_side_pixels=32)
    decoded = decode(encoded(picture, "PNG", icc_profile=grey_profile()), wanted_side_pixels=32)
    assert decoded.notes == (*plain.notes, NOTE_BAD_PROFILE)
    assert np.array_equal(np.asarray(decoded.picture), np.asarray(plain.picture))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_profile_on_a_grey_picture_is_obeyed(encoded, mode):
    picture = Image.new("I;16", (40, 40), 25700) if mode == "I;16" else Image.new("L", (40, 40), 100).convert(mode)
    if mode == "LA":
        picture.putalpha(128)
    decoded = decode(encoded(picture, "PNG", icc_profile=grey_profile()), wanted_side_pixels=32)
    assert decoded.notes[-1].startswith("The colours were converted from the profile 'grey")


def test_profile_of_a_pillow_picture_is_obeyed():
    picture = Image.new("RGB", (40, 40), (200, 40, 40))
    picture.info["icc_profile"] = swapped_profile()
    red, green, _ = np.asarray(from_picture(picture).picture)[0, 0].tolist()
    assert green > red
