"""What is refused and why, what is shown, and what can only be saved."""

import struct

import pytest

from chalicelib.files.inspection import WINDOW, check_claims, inspect
from chalicelib.files.models import REFUSALS
from chalicelib.files.names import clean
from chalicelib.files.showing import INLINE
from tests.support.files import gif, jpeg, pdf, png
from tests.support.hostile import HOSTILE, Hostile, _zip


def verdict(data: bytes, name: str = "a", content_type: str = "application/octet-stream") -> str:
    """The type found, or the code of the refusal."""
    try:
        check_claims(clean(name), content_type)
        return inspect(data[:WINDOW], data[-WINDOW:], len(data), clean(name)).content_type
    except REFUSALS as refusal:
        return refusal.code


def test_there_are_fifty_hostile_files() -> None:
    assert len({each.label for each in HOSTILE}) == len(HOSTILE) == 50


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.label)
def test_a_hostile_file_is_refused_or_can_only_be_saved(hostile: Hostile) -> None:
    found = verdict(hostile.data, hostile.name, hostile.content_type)
    assert found not in INLINE


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.label)
def test_it_does_not_help_to_claim_something_harmless(hostile: Hostile) -> None:
    found = verdict(hostile.data, "photo.png", "image/png")
    assert found not in INLINE or (
        found == "text/plain" and b"<" not in hostile.data
    )  # bare script is text to a browser


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (png(), "a.png", "image/png"),
        (jpeg(), "a.jpg", "image/jpeg"),
        (gif(), "a.gif", "image/gif"),
        (pdf(), "a.pdf", "application/pdf"),
        ("Grüße & <3 >_>".encode(), "a.txt", "text/plain"),
        (b"a < b and c > d", "a.log", "text/plain"),
        ("日本語".encode("shift-jis"), "a.txt", "text/plain"),
        (b"a,b\n1,2\n", "a.csv", "text/csv"),
        (b'{"a": 1}', "a.json", "application/json"),
        (_zip("a.txt", "hello"), "a.zip", "application/zip"),
        (b"\x00\x01\x02", "a.dat", "application/octet-stream"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00", "a.mp4", "video/mp4"),
        (b"RIFF\x04\x00\x00\x00WAVE", "a.wav", "audio/wav"),
    ],
)
def test_what_is_harmless_is_known_for_what_it_is(data, name, expected):
    assert verdict(data, name) == expected


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"MZ\x90\x00", "photo.jpg"),
        (b"\x7fELF\x02\x01", "a.dat"),
        (struct.pack("<I", 0xFEEDFACF), "a"),
        (b"\xca\xfe\xba\xbe\x00\x00\x00\x34", "a"),
        (b"#!/bin/sh\nrm -rf /", "readme.txt"),
        (b"L\x00\x00\x00\x01\x14\x02\x00\x00", "holiday"),
        (b"dex\n035\x00", "a"),
        (_zip("META-INF/MANIFEST.MF", "Main-Class: A"), "a.zip"),
        (_zip("word/vbaProject.bin", "x"), "a.docx"),
        *((b"hello", f"invoice.pdf.{ending}") for ending in ("exe", "SCR", "bat", "ps1", "lnk", "jar", "docm", "iso")),
        (b"hello", "invoice.exe. "),
        (b"hello", "invoice\u202efdp.exe"),
    ],
)
def test_programs_are_refused(data, name):
    assert verdict(data, name) == "executable"


@pytest.mark.parametrize(("width", "height"), [(30_001, 1), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(width, height):
    assert verdict(png(width, height), "a.png") == "image_too_large"


@pytest.mark.parametrize("data", [png()[:20], b"\xff\xd8\xff", b"GIF89a", png(0, 5)])
def test_half_an_image_is_refused(data):
    assert verdict(data) in {"broken_image", "polyglot"}


def test_bytes_never_break_it() -> None:
    import random

    rng = random.Random(7)
    starts = [png(), jpeg(), gif(), pdf(), b"RIFF", b"PK\x03\x04", b"\x00\x00\x00\x18ftyp", b"", b"<"]
    for _ in range(3000):
        verdict(rng.choice(starts)[: rng.randrange(40)] + rng.randbytes(rng.randrange(60)))
