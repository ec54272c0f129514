"""Every place where an image file can carry words, each with a secret that must not be among the stored bytes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from dermalens.records.images import only_pixels
from tests.records.made_case import file_of
from tests.tiny_bundle import lesion

SECRET = b"Erika Mustermann 1964"
WORDS = SECRET.decode()
PICTURE = lesion("mel", (96, 64))


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """A JPEG with one more segment behind its start."""
    plain = file_of(PICTURE)
    return plain[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + plain[2:]


def exif(tag: int, value: object, directory: int | None = None) -> bytes:
    found = Image.Exif()
    (found if directory is None else found.get_ifd(directory))[tag] = value
    return file_of(PICTURE, exif=found)


def iptc() -> bytes:
    record = b"\x1c\x02\x78" + struct.pack(">H", len(SECRET)) + SECRET
    return jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record + b"\0")


def exif_thumbnail() -> bytes:
    """EXIF whose second directory points at a JPEG with a comment, as cameras write it."""
    small = file_of(PICTURE.resize((16, 16)), comment=SECRET)
    head = b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 14)  # an empty first directory, then the second at 14
    second = struct.pack("<HHHIIHHIII", 2, 0x201, 4, 1, 44, 0x202, 4, 1, len(small), 0)
    return jpeg_segment(0xE1, b"Exif\0\0" + head + second + small)


def profile() -> bytes:
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made + SECRET


def png_text(kind: str) -> bytes:
    text = PngImagePlugin.PngInfo()
    if kind == "iTXt":
        text.add_itxt("Patient", WORDS)
    else:
        text.add_text("Patient", WORDS, zip=kind == "zTXt")
    return file_of(PICTURE, "PNG", pnginfo=text)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk before its end."""
    plain = file_of(PICTURE, "PNG")
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return plain[:-12] + chunk + plain[-12:]


FILES = {
    "EXIF description": exif(0x010E, WORDS),
    "EXIF maker note": exif(0x927C, SECRET, 0x8769),
    "EXIF GPS": exif(0x001B, SECRET, 0x8825),
    "EXIF thumbnail": exif_thumbnail(),
    "XMP": jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"),
    "IPTC": iptc(),
    "JPEG comment": file_of(PICTURE, comment=SECRET),
    "JPEG application segment": jpeg_segment(0xEB, SECRET),
    "bytes behind the JPEG": file_of(PICTURE) + SECRET,
    "ICC profile": file_of(PICTURE, icc_profile=profile()),
    "PNG tEXt": png_text("tEXt"),
    "PNG zTXt": png_text("zTXt"),
    "PNG iTXt": png_text("iTXt"),
    "PNG eXIf": png_chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0\0\0\0\0" + SECRET),
    "PNG chunk of one's own": png_chunk(b"paTi", SECRET),
    "WebP EXIF": file_of(PICTURE, "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + SECRET),
    "WebP XMP": file_of(PICTURE, "WEBP", xmp=SECRET),
    "TIFF description": file_of(PICTURE, "TIFF", description=WORDS),
    "GIF comment": file_of(PICTURE, "GIF", comment=SECRET),
}


@pytest.mark.parametrize("place", FILES)
def test_nothing_but_pixels_is_stored(place):
    given = FILES[place]
    hidden = place == "PNG zTXt"  # compressed
    assert (SECRET in given) is not hidden
    stored = only_pixels(given)
    assert SECRET not in stored
    picture = Image.open(io.BytesIO(stored))
    assert (picture.info, picture.size, picture.mode) == ({}, PICTURE.size, "RGB")
    assert _chunks(stored) == {b"IHDR", b"IDAT", b"IEND"}


def test_an_image_saved_again_by_pillow_alone_would_have_kept_the_comment():
    again = file_of(Image.open(io.BytesIO(FILES["JPEG comment"])))
    assert SECRET in again


def test_pixels_stay_as_they_are():
    stored = Image.open(io.BytesIO(only_pixels(file_of(PICTURE, "PNG"))))
    assert np.array_equal(np.asarray(stored), np.asarray(PICTURE))


def test_a_photograph_is_stored_upright():
    turned = Image.Exif()
    turned[0x0112] = 6
    stored = Image.open(io.BytesIO(only_pixels(file_of(PICTURE, exif=turned))))
    assert stored.size == (64, 96)


def test_a_large_jpeg_is_not_reduced():
    stored = Image.open(io.BytesIO(only_pixels(file_of(lesion("nv", (1600, 1200))))))
    assert stored.size == (1600, 1200)


def test_the_same_pixels_are_the_same_bytes_whatever_came_with_them():
    assert only_pixels(FILES["PNG tEXt"]) == only_pixels(FILES["PNG iTXt"]) == only_pixels(file_of(PICTURE, "PNG"))


def _chunks(png: bytes) -> set[bytes]:
    kinds, at = set(), 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kinds.add(png[at + 4 : at + 8])
        at += length + 12
    return kinds
