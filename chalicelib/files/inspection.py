"""What a file is, told from its bytes: whether it may be shown, only downloaded, or not kept at all.

Only a short list of kinds is ever shown in the browser (`INLINE`). What could run there or elsewhere is refused, also
where it hides behind something harmless: a second file appended to a picture, markup in the first or last bytes.
Browsers decide by the first bytes (the standard: mimesniff.spec.whatwg.org), archives are read from their end.
"""

import io
import re
import struct

from chalicelib.core.frozen import frozen
from chalicelib.files.models import (
    MAX_PIXELS,
    MAX_SIDE,
    ActiveContentError,
    BrokenImageError,
    ImageTooLargeError,
    PolyglotError,
    ProgramError,
)
from chalicelib.files.names import extension
from chalicelib.files.showing import INLINE

PART = "file"  # what an error names
# Bytes looked at from both ends: a photograph's size may stand behind several segments of 64 KB, and the mark that ends
# a ZIP file at most 65,557 bytes before its end.
WINDOW = 256 * 1024

IMAGES = frozenset(kind for kind in INLINE if kind.startswith("image/"))
UNKNOWN = "application/octet-stream"

_ACTIVE_EXTENSIONS = re.compile(
    r"svg|svgz|html|htm|xhtml|xht|shtml|xml|xsl|xslt|xsd|rdf|mht|mhtml|hta|htc|"
    r"js|mjs|cjs|jse|vbs|vbe|wsf|wsh|ws|swf|php|phtml|asp|aspx|jsp|url|webloc|"
    r"desktop"
)
_EXECUTABLE_EXTENSIONS = re.compile(
    r"exe|dll|com|scr|pif|cpl|sys|msi|msp|bat|cmd|ps1|psm1|sh|bash|zsh|command|"
    r"app|dmg|pkg|deb|rpm|apk|jar|class|lnk|reg|inf|vb|msc|gadget|application|"
    r"xll|docm|xlsm|pptm|dotm|xltm|ppam|xlam|chm|hlp|iso|img|vhd|appimage|so|"
    r"dylib"
)
_ACTIVE_TYPES = re.compile(
    r"(text/html|.*[/+]xml|.*[+]html|image/svg.*|.*(java|ecma|vb)script|.*x-shockwave.*|multipart/.*)$"
)

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"OggS\x00", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    *((bytes([0xFF, layer]), "audio/mpeg") for layer in (0xFB, 0xF3, 0xF2)),
)
_EXECUTABLES = (
    b"MZ",  # Windows
    b"\x7fELF",
    *(
        struct.pack(order + "I", magic) for order in "<>" for magic in (0xFEEDFACE, 0xFEEDFACF, 0xCAFEBABE)
    ),  # Apple, Java
    b"#!",
    b"dex\n",
    b"\x00asm",
    b"L\x00\x00\x00\x01\x14\x02\x00",  # a Windows shortcut
    b"!<arch>\n",
    b"ITSF",
)
_FLASH = (b"FWS", b"CWS", b"ZWS")
_IN_ARCHIVES = (b"META-INF/MANIFEST.MF", b"AndroidManifest.xml", b"classes.dex", b"vbaProject.bin")
# Three letters turn up by chance among the bytes of one picture in ten thousand, so text must follow them.
_MARKUP = re.compile(
    rb"<(!doctype|html|head|body|script|iframe|object|embed|style|title|table|meta|link|form|base|\?php|!\[cdata"
    rb"|[a-z]+:script)[\s/>!\[]|<(svg|img)[\s/>][\s\x20-\x7e]{4}|on(load|error)=|javascript:|vbscript:|\+ADw-",
    re.IGNORECASE,
)
_STARTS_LIKE_MARKUP = re.compile(rb"<([!?/a-z])", re.IGNORECASE)
_STARTS_LIKE_ARCHIVED_PAGE = re.compile(rb"(mime-version:|from: <?saved by|content-type: multipart/)", re.IGNORECASE)
_SHORTCUT = re.compile(rb"\[(internetshortcut|desktop entry|autorun)\]", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BY_EXTENSION = {"csv": "text/csv", "json": "application/json"}
_ARCHIVES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
}


@frozen
class Verdict:
    """What a file really is. `width` and `height` are pixels, of images only."""

    content_type: str
    width: int | None = None
    height: int | None = None


def check_claims(name: str, content_type: str, fields: tuple[str, str] = (PART, PART)) -> None:
    """Refuse what says itself that it can run. Raises what says why it is not taken.

    `fields` are where the caller gave the name and the type.
    """
    of_name, of_type = fields
    ending = extension(name)
    if _ACTIVE_TYPES.fullmatch(content_type.partition(";")[0].strip().lower()):
        raise ActiveContentError(param=of_type)
    if _ACTIVE_EXTENSIONS.fullmatch(ending):
        raise ActiveContentError(param=of_name)
    if _EXECUTABLE_EXTENSIONS.fullmatch(ending):
        raise ProgramError(param=of_name)


def inspect(head: bytes, tail: bytes, size: int, name: str) -> Verdict:
    """Tell what a file is from its first and last WINDOW bytes. Raises what says why it is not taken."""
    _refuse_programs(head)
    kind = _kind(head, tail, name)
    if kind in INLINE - {"text/plain"} or kind == "application/pdf":
        _refuse_second_file(kind, head, tail, size)
    if kind.startswith("application/") and any(mark in head or mark in tail for mark in _IN_ARCHIVES):
        raise ProgramError(param=PART)
    if kind in IMAGES:
        return Verdict(kind, *_dimensions(head))
    return Verdict(kind)


def _refuse_programs(head: bytes) -> None:
    if head.startswith(_EXECUTABLES):
        raise ProgramError(param=PART)
    start = _as_text(head[:4096])
    if (
        head.startswith(_FLASH)
        or _STARTS_LIKE_MARKUP.match(start)
        or _STARTS_LIKE_ARCHIVED_PAGE.match(start)
        or _SHORTCUT.match(start)
        or b"+ADw-" in head[:4096]
    ):
        raise ActiveContentError(param=PART)


def _as_text(start: bytes) -> bytes:
    """Return what markup would be read as: without byte order marks, the zeros of wider encodings, and white space."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip(b"\xff\xfe").replace(b"\x00", b"").lstrip(b"\t\n\x0b\x0c\r ")


def _kind(head: bytes, tail: bytes, name: str) -> str:
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return _ARCHIVES.get(extension(name), kind) if kind == "application/zip" else kind
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return "video/mp4" if head[8:11] in {b"iso", b"mp4", b"avc", b"M4V", b"M4A", b"qt "} else UNKNOWN
    if _CONTROL.search(head) or _CONTROL.search(tail) or _MARKUP.search(head) or _MARKUP.search(tail):
        return UNKNOWN
    return _BY_EXTENSION.get(extension(name), "text/plain")


def _refuse_second_file(kind: str, head: bytes, tail: bytes, size: int) -> None:
    appended = b"PK\x05\x06" in tail or not _ends_where_it_should(kind, head, tail, size)
    if appended or _MARKUP.search(head) or _MARKUP.search(tail):
        raise PolyglotError(param=PART)


def _ends_where_it_should(kind: str, head: bytes, tail: bytes, size: int) -> bool:
    if kind == "image/png":
        return tail.endswith(b"IEND\xaeB`\x82")
    if kind == "image/gif":
        return tail.endswith(b"\x00;") and head[6:8] != b"/*"
    if kind in {"image/webp", "audio/wav"}:
        told: int = struct.unpack("<I", head[4:8])[0]
        return told + 8 in {size, size - 1}
    return True


def _dimensions(head: bytes) -> tuple[int, int]:
    # Imported here: only a few calls look at images.
    import imagesize  # noqa: PLC0415

    try:
        width, height = imagesize.get(io.BytesIO(head))
    except Exception:  # noqa: BLE001 - a broken header has many ways to break a parser
        width, height = -1, -1
    if width <= 0 or height <= 0:
        raise BrokenImageError(param=PART)
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageTooLargeError(param=PART)
    return width, height
