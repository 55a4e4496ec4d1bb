"""The static pages: what `web/*/dist` has, put into the bucket that CloudFront serves."""

import mimetypes
from collections.abc import Callable
from pathlib import Path

from infra.clients import client
from infra.dependencies import ROOT

# Where Vite puts the files whose names have their content's hash (`assets/index-B7x9kQ2a.js`).
_HASHED = "assets"
_FOREVER = "public, max-age=31536000, immutable"
_PAGE = "no-cache"  # asked for each time; unchanged, it is not sent again
_ELSE = "public, max-age=300"  # such as the script that sites embed: a new one is everywhere within minutes


def built(root: Path = ROOT) -> list[Path]:
    """Return the folders of applications that have been built."""
    return sorted(folder for folder in root.glob("web/*/dist") if folder.is_dir())


def cache_control(name: str) -> str:
    """Return how long browsers and CloudFront may keep a file."""
    if name.endswith(".html"):
        return _PAGE
    return _FOREVER if _HASHED in name.split("/")[:-1] else _ELSE


def upload(folder: Path, bucket: str, region: str, tell: Callable[[str], None]) -> None:
    """Put every file into the bucket, pages last: who gets a new page finds what it needs.

    Nothing is deleted: a page that is open in a browser still asks for files of its own version.
    """
    files = sorted(
        (file for file in folder.rglob("*") if file.is_file()), key=lambda file: (file.suffix == ".html", file)
    )
    for file in files:
        key = file.relative_to(folder).as_posix()
        kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
        if kind.startswith("text/") or kind.endswith(("javascript", "json")):
            kind += "; charset=utf-8"
        with file.open("rb") as content:
            client("s3", region).put_object(
                Bucket=bucket, Key=key, Body=content, ContentType=kind, CacheControl=cache_control(key)
            )
    tell(f"{len(files)} files of the pages are in {bucket}.")
