"""Bad input: each error is one line that says what was given, what is needed and what to do."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from dermalens.core.errors import ImageError
from dermalens.core.header import MAX_BYTES, damage_as_image_error
from dermalens.core.image import decode, from_array, from_picture, read_file


def refusal(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, wanted_side_pixels=64)
    message = str(caught.value)
    assert "\n" not in message
    return message


def png_head(width: int, height: int) -> bytes:
    """A PNG that promises a size and has no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_empty_file_is_refused():
    assert refusal(b"") == (
        "The file is empty (0 bytes); needed is JPEG, PNG, WebP, TIFF, BMP or GIF. Copy or export it again."
    )


def test_text_named_jpg_is_refused():
    assert refusal(b"lesion,dx\nHAM_0000118,bkl\n") == (
        "The file is text, whatever its name says; needed is JPEG, PNG, WebP, TIFF, BMP or GIF. "
        "Export the picture in one of these formats."
    )


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\0" * 128 + b"DICM", "a DICOM file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "text"),
        (bytes(range(256)), "no picture of a known format"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "no picture of a known format"),
        (b"RIFF\x24\0\0\0AVI LIST", "no picture of a known format"),
    ],
)
def test_foreign_format_is_named_where_it_is_known(data, name):
    assert refusal(data).startswith(f"The file is {name}")


def test_file_above_the_limit_is_refused_unread(tmp_path):
    path = tmp_path / "large.tif"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(ImageError, match=r"The file has 64\.0 MiB; at most 64 MiB are read\. Save it as JPEG"):
        read_file(path)
    assert "at most 64 MiB" in refusal(b"\xff\xd8\xff" + bytes(MAX_BYTES))


def test_missing_file_and_folder_are_refused_by_name(tmp_path):
    with pytest.raises(
        ImageError,
        match=r"mole\.jpg cannot be read: No such file or directory\. Needed is an image file; check the path",
    ):
        read_file(tmp_path / "mole.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_file(tmp_path)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WebP", {}), ("GIF", {}), ("BMP", {}), ("TIFF", {})],
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_file_is_refused_and_never_half_grey(drawn, encoded, kind, options, share):
    data = encoded(drawn(400, 300), kind, **options)
    message = refusal(data[: int(len(data) * share)])
    assert message.startswith(f"The {kind} file is damaged or cut off (")
    assert message.endswith("needed is the complete file. Copy or export it again.")


def test_truncated_jpeg_is_refused_at_reduced_scale_too(drawn, encoded):
    data = encoded(drawn(1600, 1200), "JPEG")
    assert "damaged or cut off" in refusal(data[: len(data) // 2])


def test_pillow_is_not_told_to_accept_truncated_files():
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_png_of_30000_by_30000_is_refused_from_its_header():
    assert refusal(png_head(30_000, 30_000)) == (
        "The picture has 30000 x 30000 pixels (900 megapixels); at most 89 megapixels are decoded. "
        "Crop it to the lesion or reduce it."
    )


def test_huge_picture_leaves_memory_flat(tmp_path):
    (tmp_path / "huge.png").write_bytes(png_head(30_000, 30_000))
    logical_screen = struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    (tmp_path / "huge.gif").write_bytes(
        b"GIF89a" + logical_screen + b",\0\0\0\0" + struct.pack("<HHB", 65535, 65535, 0)
    )
    script = (
        "import pathlib, resource, sys\nfrom dermalens.core.errors import ImageError\n"
        "from dermalens.core.image import decode\npeak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "for path in sys.argv[1:]:\n"
        "    try: decode(pathlib.Path(path).read_bytes(), wanted_side_pixels=224)\n"
        "    except ImageError: continue\n"
        "    sys.exit('accepted')\n"
        "print((peak() - before) // 1024)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "huge.png"), str(tmp_path / "huge.gif")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8  # MiB


@pytest.mark.parametrize("size", [(9_600, 9_600), (13_000, 13_000), (60_000, 60_000)])
def test_large_picture_is_refused_without_a_warning(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "megapixels" in refusal(png_head(*size))


def test_gif_whose_frame_is_huge_is_refused(encoded):
    data = bytearray(encoded(Image.new("P", (64, 64)), "GIF"))
    frame = data.index(b",\0\0\0\0@\0@\0")
    data[frame + 5 : frame + 9] = struct.pack("<HH", 65535, 65535)
    assert "megapixels" in refusal(bytes(data))


def test_picture_of_one_pixel_is_refused(encoded):
    assert refusal(encoded(Image.new("RGB", (1, 1)), "PNG")) == (
        "The picture has 1 x 1 pixels; needed are at least 32 on the shorter side. Use the original, not a thumbnail."
    )


@pytest.mark.parametrize("size", [(1000, 100), (100, 1000)])
def test_strip_of_ten_to_one_is_refused(encoded, size):
    message = refusal(encoded(Image.new("RGB", size), "JPEG"))
    assert "a strip of 10.0:1; needed is at most 6:1. Crop it to the lesion" in message


def test_smallest_picture_and_longest_strip_are_taken(encoded):
    assert decode(encoded(Image.new("RGB", (192, 32)), "PNG"), wanted_side_pixels=64).original_size == (192, 32)


def test_floating_point_and_12_bit_tiff_are_refused(encoded):
    assert "floating-point pixels" in refusal(encoded(Image.new("F", (40, 40)), "TIFF"))
    twelve = encoded(Image.new("I;16", (40, 40)), "TIFF").replace(
        struct.pack("<HHIHH", 258, 3, 1, 16, 0), struct.pack("<HHIHH", 258, 3, 1, 12, 0)
    )
    assert "12 bits" in refusal(twelve)


def test_damaged_pillow_picture_is_refused(drawn, encoded, tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(encoded(drawn(400, 300), "JPEG")[:2000])
    with Image.open(path) as picture, pytest.raises(ImageError, match="The JPEG file is damaged or cut off"):
        from_picture(picture)


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.zeros((40, 40, 3), np.float32), r"is float32 \[40, 40, 3\]; needed is uint8.*\(array \* 255\)\.round\(\)"),
        (np.zeros((40, 40, 3), np.int64), r"is int64.*pass array\.astype\('uint8'\)"),
        (np.zeros((40, 40), np.bool_), "is bool"),
        (np.zeros((3, 40, 50), np.uint8), r"Put the channels last: array\.transpose\(1, 2, 0\)"),
        (np.zeros((2, 40, 40, 3), np.uint8), "Pass the images one by one"),
        (np.zeros((40, 40, 1), np.uint8), r"is uint8 \[40, 40, 1\]; .*Take its one channel: array\[\.\.\., 0\]"),
        (np.zeros((40, 40, 2), np.uint8), "Pass one picture with its channels last"),
        (np.zeros(40, np.uint8), "Pass one picture"),
        (np.zeros((0, 40, 3), np.uint8), "40 x 0 pixels; needed are at least 32"),
        (np.zeros((20, 40, 3), np.uint8), "40 x 20 pixels; needed are at least 32"),
    ],
)
def test_array_of_another_kind_is_refused_with_a_hint(array, hint):
    with pytest.raises(ImageError, match=hint):
        from_array(array)


def test_a_name_that_no_file_can_have_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="cannot be read: embedded null"):
        read_file(Path("a\0b.jpg"))


def test_png_with_much_text_is_not_called_damaged():
    text, stored = PngInfo(), io.BytesIO()
    text.add_text("Comment", "x" * 2_000_000, zip=True)
    Image.new("RGB", (64, 64)).save(stored, "PNG", pnginfo=text)
    assert refusal(stored.getvalue()) == (
        "The PNG file carries more text beside the picture than is read. Export it without its metadata."
    )


def test_a_pipe_is_read_though_it_has_no_size(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen([sys.executable, "-c", f"open({str(tmp_path / 'pipe')!r}, 'wb').write(b'x' * 70_000)"]):
        assert read_file(tmp_path / "pipe") == b"x" * 70_000
    with pytest.raises(ImageError, match="at most 64 MiB are read"):
        read_file(Path("/dev/zero"))


def test_a_webp_that_is_cut_off_within_its_mark_is_damaged():
    for length in (4, 8, 11, 12):
        assert "The WebP file is damaged or cut off" in refusal(b"RIFF\x24\0\0\0WEBP"[:length])


def run_on_a_clear_picture(path, script, *arguments):
    """The output of `script`, whose `data` is a half transparent picture of 16 megapixels."""
    Image.new("RGBA", (4000, 4000), (200, 150, 120, 128)).save(path / "clear.png", compress_level=1)
    begin = (
        "import pathlib, resource, sys\nfrom dermalens.core.errors import ImageError\n"
        "from dermalens.core.image import decode\ndata = pathlib.Path(sys.argv[1]).read_bytes()\n"
    )
    words = [sys.executable, "-c", begin + script, str(path / "clear.png"), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is that of Linux")
def test_a_picture_with_alpha_takes_ten_bytes_a_pixel_at_most(tmp_path):
    script = (
        "peak = lambda: int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])\nbefore = peak()\n"
        "decode(data, wanted_side_pixels=224)\nprint(peak() - before)"  # KiB
    )
    assert int(run_on_a_clear_picture(tmp_path, script)) * 1024 / 16_000_000 < 10.5


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is that of Linux")
@pytest.mark.parametrize("free", [30, 100])
def test_want_of_memory_is_an_image_error(tmp_path, free):
    """At 30 MiB while the file is decoded (64 MB), at 100 while the alpha is laid on white (64 MB more)."""
    script = (
        "taken = int(open('/proc/self/statm').read().split()[0]) * 4096 + int(sys.argv[2]) * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (taken, -1))\n"
        "try: decode(data, wanted_side_pixels=224)\nexcept ImageError as error: print(error)"
    )
    found = run_on_a_clear_picture(tmp_path, script, free)
    assert found.startswith("There is not enough memory to decode the picture; needed are some 10 bytes a pixel. Crop")


def test_want_of_memory_in_a_decoder_of_pillow_is_not_called_damage():
    with pytest.raises(ImageError, match="not enough memory"), damage_as_image_error("WebP"):
        raise OSError("out of memory when reading image file")
