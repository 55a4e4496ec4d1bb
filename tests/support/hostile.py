"""Fifty files that try to run script: each says so if it does, by a console message, a title and a global."""

import gzip
import io
import struct
import zipfile
from dataclasses import dataclass

from tests.support.files import gif, jpeg, pdf, png

JS = "console.log('RAN');globalThis.ran=1;document.title='RAN'"
SCRIPT = f"<script>{JS}</script>"
HTML = f"<!doctype html><html><body>{SCRIPT}</body></html>"
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{JS}"><script>{JS}</script></svg>'
XHTML = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{SCRIPT}</body></html>'

ACTIVE_PDF = pdf().replace(b"/Catalog", b"/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>")
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"


@dataclass(frozen=True)
class Hostile:
    """A file with what it is claimed to be; `runs` where a browser does run it if nobody minds."""

    name: str
    content_type: str
    data: bytes
    runs: bool = False

    @property
    def label(self) -> str:
        """A name for test reports."""
        return f"{self.name}-{self.content_type.partition('/')[2]}-{len(self.data)}"


def _zip(name: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)  # of a fixed time, as names of tests are made of it
    return packed.getvalue()


def _webp(tail: bytes) -> bytes:
    body = b"WEBPVP8L" + struct.pack("<I", 6) + b"\x2f\x00\x00\x00\x00\x00"
    return b"RIFF" + struct.pack("<I", len(body)) + body + tail


def _png_with(text: str) -> bytes:
    picture = png()
    return picture[:-12] + struct.pack(">I", len(text)) + b"tEXt" + text.encode() + b"\x00\x00\x00\x00" + picture[-12:]


HOSTILE = [
    Hostile("a.html", "text/html", HTML.encode(), runs=True),
    Hostile("a.htm", "text/plain", HTML.encode()),
    Hostile("a.txt", "text/html", HTML.encode(), runs=True),
    Hostile("a.txt", "text/plain", HTML.encode()),
    Hostile("a.png", "image/png", HTML.encode()),
    Hostile("a.jpg", "text/html", HTML.upper().replace("CONSOLE", "console").encode()),
    Hostile("a", "text/html", b" \t\r\n\x0c" + HTML.encode(), runs=True),
    Hostile("bom.txt", "text/html", b"\xef\xbb\xbf" + HTML.encode(), runs=True),
    Hostile("utf16le.txt", "text/html", b"\xff\xfe" + HTML.encode("utf-16-le"), runs=True),
    Hostile("utf16be.txt", "text/html", b"\xfe\xff" + HTML.encode("utf-16-be"), runs=True),
    Hostile("utf7.txt", "text/html; charset=utf-7", f"+ADw-script+AD4-{JS}+ADw-/script+AD4-".encode()),
    Hostile("comment.txt", "text/html", b"<!-- hello -->" + HTML.encode(), runs=True),
    Hostile("deep.txt", "text/html", b"hello " * 1000 + SCRIPT.encode(), runs=True),
    Hostile("image-onerror.txt", "text/html", f'x <img src=x: onerror="{JS}">'.encode(), runs=True),
    Hostile("body-onload.txt", "text/html", f'<body onload="{JS}">'.encode(), runs=True),
    Hostile("iframe.txt", "text/html", f'<iframe srcdoc="{SCRIPT}"></iframe>'.encode(), runs=True),
    Hostile("refresh.txt", "text/html", b'<meta http-equiv="refresh" content="0;url=data:text/html,' + HTML.encode()),
    Hostile("link.txt", "text/html", f'<a href="javascript:{JS}">x</a>{SCRIPT}'.encode(), runs=True),
    Hostile("a.svg", "image/svg+xml", SVG.encode(), runs=True),
    Hostile("a.png", "image/svg+xml", SVG.encode(), runs=True),
    Hostile("declared.svg", "image/svg+xml", b'<?xml version="1.0"?><!DOCTYPE svg>' + SVG.encode(), runs=True),
    Hostile("spaced.xml", "image/svg+xml", b"\n\n" + SVG.encode(), runs=True),
    Hostile("packed.svgz", "image/svg+xml", gzip.compress(SVG.encode(), mtime=0)),
    Hostile("a.xhtml", "application/xhtml+xml", XHTML.encode(), runs=True),
    Hostile("a.xml", "text/xml", XHTML.encode(), runs=True),
    Hostile("a.rss", "application/rss+xml", b'<?xml version="1.0"?>' + XHTML.encode()),
    Hostile("styled.xml", "text/xml", b'<?xml version="1.0"?><?xml-stylesheet href="#x"?>' + XHTML.encode(), runs=True),
    Hostile("a.mhtml", "multipart/related", b"MIME-Version: 1.0\nContent-Type: text/html\n\n" + HTML.encode()),
    Hostile("saved.txt", "text/plain", b"From: <Saved by Blink>\nContent-Type: multipart/related\n\n" + HTML.encode()),
    Hostile("a.js", "text/javascript", JS.encode()),
    Hostile("a.mjs", "application/octet-stream", JS.encode()),
    Hostile("a.hta", "application/hta", HTML.encode()),
    Hostile("gif-js.gif", "image/gif", b"GIF89a/*" + gif()[8:] + b"*/=1;" + JS.encode() + b"\x00;"),
    Hostile("gif-tail.gif", "image/gif", gif() + f"*/;{JS};".encode()),
    Hostile("gif-html.gif", "text/html", gif() + HTML.encode(), runs=True),
    Hostile("png-html.png", "text/html", png() + HTML.encode(), runs=True),
    Hostile("png-text.png", "text/html", _png_with(HTML), runs=True),
    Hostile("jpeg-html.jpg", "text/html", jpeg() + HTML.encode(), runs=True),
    Hostile("jpeg-comment.jpg", "text/html", jpeg()[:20] + b"\xff\xfe\x01\x00" + HTML.encode() + jpeg(), runs=True),
    Hostile("webp-html.webp", "text/html", _webp(HTML.encode()), runs=True),
    Hostile("pdf-html.pdf", "text/html", pdf() + HTML.encode(), runs=True),
    Hostile("html-pdf.pdf", "text/html", HTML.encode() + pdf(), runs=True),
    Hostile("active.pdf", "application/pdf", ACTIVE_PDF),
    Hostile("zip-html.zip", "text/html", _zip("a.html", HTML), runs=True),
    Hostile("jar.png", "image/png", png() + _zip("META-INF/MANIFEST.MF", "Main-Class: A")),
    Hostile("mp4-html.mp4", "text/html", MP4 + HTML.encode(), runs=True),
    Hostile("ogg-html.ogg", "text/html", b"OggS\x00" + bytes(30) + HTML.encode(), runs=True),
    Hostile("id3-html.mp3", "text/html", b"ID3\x03\x00" + bytes(9) + HTML.encode(), runs=True),
    Hostile("binary-html.bin", "text/html", b"\x01\x02\x03\x04" + HTML.encode(), runs=True),
    Hostile("csv.csv", "text/html", b"a,b\n1," + SCRIPT.encode(), runs=True),
]  # fmt: skip
