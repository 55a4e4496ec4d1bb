"""Files for tests: small ones that are what they say, and uploads of them."""

import struct
import zlib
from typing import Any

from tests.support.aws import Services
from tests.support.client import Client

FILES = "/v1/files"
OWN_FILES = "/widget/v1/files"


def png(width: int = 2, height: int = 1) -> bytes:
    """Return a PNG whose header says this size; the pixels are those of a small one."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00" + b"\xff\x00\x00" * 2)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def gif() -> bytes:
    """Return a GIF of one pixel."""
    head = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00"
    return head + b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"


def jpeg() -> bytes:
    """Return the segments of a JPEG of 3 × 2 pixels, without its picture."""
    frame = struct.pack(">BHHB", 8, 2, 3, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + (
        b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"
    )


def pdf() -> bytes:
    """Return the least of a PDF."""
    return b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def uploaded(
    client: Client, data: bytes = b"hello", name: str = "note.txt", content_type: str = "text/plain", url: str = FILES
) -> dict[str, Any]:
    """Upload a file, which must be taken; returns it."""
    answer = client.upload(url, data, name, content_type)
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def started(
    client: Client, data: bytes, name: str = "note.txt", content_type: str = "text/plain", url: str = FILES
) -> dict[str, Any]:
    """Begin a direct upload; returns what it answers."""
    answer = client.post(f"{url}/uploads", {"name": name, "content_type": content_type, "size": len(data)})
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def posted(
    services: Services, client: Client, data: bytes, name: str = "note.txt", content_type: str = "text/plain"
) -> str:
    """Begin a direct upload and send the bytes; returns the file's id."""
    begun = started(client, data, name, content_type)
    services.objects.post(begun["fields"]["key"], data, content_type)
    file_id: str = begun["id"]
    return file_id
