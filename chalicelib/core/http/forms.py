"""A file sent as multipart/form-data: one part named `file`, its bytes as they were sent."""

import hashlib
import io
from collections.abc import Iterable

from chalicelib.core.errors import InvalidError, MalformedRequestError, TooLargeError, UnsupportedMediaTypeError
from chalicelib.core.frozen import frozen
from chalicelib.core.http.call import Call

FORM = "multipart/form-data"
MAX_BYTES = 4 * 1024 * 1024  # Lambda takes 6 MB, Base64 included
PART = "file"


@frozen
class Upload:
    """What a browser or program sent; name and type are its claims."""

    name: str
    content_type: str
    data: bytes


def read_upload(call: Call) -> Upload:
    """Return the part `file` of the body. Raises the 400, 413, 415 or 422 that the caller should see."""
    # Imported here: no other route pays for it.
    from multipart import (  # noqa: PLC0415
        MultipartError,
        MultipartParser,
        ParserLimitReached,
        parse_options_header,
    )

    media_type, options = parse_options_header(call.headers.get("content-type", ""))
    if media_type != FORM or not options.get("boundary"):
        raise UnsupportedMediaTypeError(f"Send the file as {FORM}, in a part named {PART}.")
    limits = {"partsize_limit": MAX_BYTES, "part_limit": 16, "spool_limit": MAX_BYTES, "memory_limit": 2 * MAX_BYTES}
    try:
        parser = MultipartParser(io.BytesIO(call.raw_body), options["boundary"], strict=True, **limits)
        parts = [(part.name, part.filename, part.content_type, part.raw) for part in parser]
    except ParserLimitReached:
        raise TooLargeError(
            f"A file in a form may have {MAX_BYTES} bytes (4 MB). Larger ones go directly: POST …/files/uploads."
        ) from None
    except (MultipartError, UnicodeError, LookupError):
        raise MalformedRequestError(f"The body could not be read as {FORM}. Is it complete?") from None
    return _only_file(parts)


def _only_file(parts: Iterable[tuple[str, str | None, str | None, bytes]]) -> Upload:
    found: list[Upload] = []
    for name, filename, content_type, data in parts:
        if name != PART:
            raise InvalidError.field(name[:100] or "body", "There is no such field.", "unknown_field")
        if filename is None:
            raise InvalidError.field(PART, "This part must be a file: give it a filename.", "not_a_file")
        found.append(Upload(filename, content_type or "application/octet-stream", data))
    if not found:
        raise InvalidError.field(PART, "This field is required.", "required")
    if len(found) > 1:
        raise InvalidError.field(PART, "Send one file at a time.", "too_many")
    if not found[0].data:
        raise InvalidError.field(PART, "The file is empty.", "empty")
    return found[0]


def fingerprint(call: Call) -> bytes:
    """Return what makes two uploads the same: the boundary between the parts, new each time, is no part of it."""
    upload = read_upload(call)
    named = f"{upload.name}\x00{upload.content_type}\x00".encode("utf-8", "surrogatepass")
    return named + hashlib.sha256(upload.data).digest()
