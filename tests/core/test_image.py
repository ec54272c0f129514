"""Bytes, pictures and arrays become upright RGB pictures."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from dermalens.core.image import (
    NOTE_ANIMATION,
    NOTE_BAD_EXIF,
    NOTE_PAGES,
    decode,
    from_array,
    from_picture,
    open_upright,
)

TURNED_BACK = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera held that way stores an upright scene (EXIF 2.32, tag 0x0112)."""

LOSSLESS = [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})]


def as_stored(upright: Image.Image, orientation: int) -> Image.Image:
    turn = TURNED_BACK[orientation]
    return upright if turn is None else upright.transpose(turn)


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_exif_rotated_photo_is_turned_upright(drawn, encoded, kind, options, orientation):
    upright = drawn(96, 73)
    data = encoded(as_stored(upright, orientation), kind, exif=exif_of(orientation), **options)
    decoded = decode(data, wanted_side_pixels=64)
    assert np.array_equal(np.asarray(decoded.picture), np.asarray(upright))
    assert decoded.original_size == (96, 73)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotated_jpeg_is_turned_upright(drawn, encoded, orientation):
    stored = as_stored(drawn(), orientation)
    plain = open_upright(encoded(stored, "JPEG", quality=95), wanted_side_pixels=64)
    back = {6: 8, 8: 6}.get(orientation, orientation)
    tagged = decode(encoded(stored, "JPEG", quality=95, exif=exif_of(orientation)), wanted_side_pixels=64)
    assert np.array_equal(np.asarray(tagged.picture), np.asarray(as_stored(plain, back)))
    assert tagged.original_size == (96, 72)


def test_reduced_decode_of_a_rotated_jpeg_keeps_the_original_size_upright(drawn, encoded):
    data = encoded(as_stored(drawn(800, 608), 6), "JPEG", exif=exif_of(6))
    decoded = decode(data, wanted_side_pixels=64)
    assert decoded.original_size == (800, 608)
    assert decoded.picture.size == (200, 152)


@pytest.mark.parametrize("size", [(256, 256), (600, 450)])
def test_ordinary_jpeg_is_decoded_in_full(drawn, encoded, size):
    data = encoded(drawn(*size), "JPEG")
    full = Image.open(io.BytesIO(data))
    assert np.array_equal(np.asarray(open_upright(data, wanted_side_pixels=226)), np.asarray(full))


@pytest.mark.parametrize(("shorter", "expected"), [(254, 254), (256, 128), (512, 128), (1024, 128), (1032, 129)])
def test_reduced_decode_leaves_twice_the_wanted_side(encoded, shorter, expected):
    data = encoded(Image.new("RGB", (shorter + 104, shorter)), "JPEG")
    assert min(open_upright(data, wanted_side_pixels=64).size) == expected


def test_jpeg_whose_sides_do_not_divide_is_decoded_in_full(encoded):
    """Else the last row would be part padding and the square a fraction of a pixel off."""
    data = encoded(Image.new("RGB", (801, 601)), "JPEG")
    assert open_upright(data, wanted_side_pixels=64).size == (801, 601)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_is_ignored_with_a_note(drawn, encoded):
    data = encoded(drawn(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 8)
    broken = encoded(drawn(), "WEBP", lossless=True, exif=b"Exif\0\0no exif")
    assert np.array_equal(np.asarray(open_upright(data, wanted_side_pixels=64)), np.asarray(drawn()))
    assert decode(broken, wanted_side_pixels=64).notes == (NOTE_BAD_EXIF,)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_exif_orientation_counts_as_upright(drawn, encoded, orientation):
    data = encoded(drawn(), "PNG", exif=exif_of(orientation))
    assert np.array_equal(np.asarray(open_upright(data, wanted_side_pixels=64)), np.asarray(drawn()))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame_and_a_note(drawn, encoded, kind):
    first, options = drawn(), {"lossless": True} if kind == "WEBP" else {}
    frames = [first.rotate(90), first.rotate(180)]
    decoded = decode(encoded(first, kind, save_all=True, append_images=frames, **options), wanted_side_pixels=64)
    assert decoded.notes == (NOTE_ANIMATION,)
    difference = np.abs(np.asarray(decoded.picture).astype(int) - np.asarray(first))
    assert difference.mean() < 3  # a GIF has 256 colours


def test_second_picture_in_a_phones_jpeg_is_no_animation(drawn, encoded):
    data = encoded(drawn(), "MPO", save_all=True, append_images=[drawn().rotate(90)])
    assert decode(data, wanted_side_pixels=64).notes == ()


def test_tiff_of_several_pages_gives_its_first_and_a_note(drawn, encoded):
    decoded = decode(encoded(drawn(), "TIFF", save_all=True, append_images=[drawn().rotate(90)]), wanted_side_pixels=64)
    assert decoded.notes == (NOTE_PAGES,)
    assert np.array_equal(np.asarray(decoded.picture), np.asarray(drawn()))


def test_bytes_picture_and_array_give_the_same_pixels(drawn, encoded):
    upright = drawn()
    data = encoded(as_stored(upright, 6), "PNG", exif=exif_of(6))
    lazy = Image.open(io.BytesIO(data))
    for decoded in (decode(data, wanted_side_pixels=64), from_picture(lazy), from_array(np.asarray(upright))):
        assert np.array_equal(np.asarray(decoded.picture), np.asarray(upright))
        assert decoded.original_size == (96, 72)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (40, 50, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2"])
def test_array_of_8_or_16_bits_is_taken(shape, dtype):
    scale = 1 if dtype == "uint8" else 257
    array = np.full(shape, 100 * scale).astype(dtype)
    if shape[-1] == 4:
        array[..., 3] = 255 * scale
    decoded = from_array(array)
    assert decoded.picture.mode == "RGB"
    assert decoded.original_size == (50, 40)
    assert np.unique(np.asarray(decoded.picture)).tolist() == [100]


def test_callers_picture_is_left_as_it_was(drawn):
    picture = drawn().convert("RGBA")
    picture.putalpha(7)
    before = picture.copy()
    from_picture(picture)
    assert picture == before


def test_reading_a_webp_imports_no_reader_of_other_formats(drawn, encoded, tmp_path):
    path = tmp_path / "photo.webp"
    path.write_bytes(encoded(drawn(), "WEBP"))
    script = (
        "import sys, pathlib\nfrom dermalens.core.image import decode\n"
        f"decode(pathlib.Path({str(path)!r}).read_bytes(), wanted_side_pixels=64)\n"
        "print([name for name in sys.modules if 'Eps' in name or 'Pdf' in name])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
