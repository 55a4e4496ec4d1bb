"""File names: what a stranger calls a file, made harmless, and as the header that tells a browser."""

import unicodedata
from urllib.parse import quote

MAX_CHARACTERS = 120
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, direction (RTL override), surrogates, line ends
_FORBIDDEN = '<>:"|?*'  # on Windows


def clean(name: str) -> str:
    """Return the last part of a path without what is invisible or means something to a file system."""
    base = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(
        "_" if letter in _FORBIDDEN else letter
        for letter in unicodedata.normalize("NFC", base)
        if unicodedata.category(letter) not in _UNSEEN
    )
    stem, dot, extension = seen.strip(". ").rpartition(".")
    if not dot:
        return extension[:MAX_CHARACTERS] or "file"
    extension = extension[:20]
    return f"{stem[: MAX_CHARACTERS - len(extension) - 1]}.{extension}"


def extension(name: str) -> str:
    """Return a name's last extension in lower case, without its dot."""
    return name.rpartition(".")[2].strip().lower() if "." in name else ""


def disposition(name: str, *, inline: bool) -> str:
    """Return the Content-Disposition (RFC 6266), with the name in full (RFC 8187) and as ASCII for old programs."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join("_" if letter in '"\\%;' else letter for letter in plain) or "file"
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
