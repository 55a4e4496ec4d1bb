"""What of the requirements' wheels is not packaged: what no function can come to need, named part by part."""

import shutil
import struct
from pathlib import Path

# Folders and files of a dependency that no import needs. Licences stay.
_FOLDERS = {"__pycache__", "test", "tests", "bin", "include", "sboms"}
_SUFFIXES = {".c", ".cpp", ".h", ".pxd", ".pyc", ".pyi", ".pyx"}
_METADATA = {"DELVEWHEEL", "INSTALLER", "RECORD", "REQUESTED", "WHEEL", "direct_url.json", "entry_points.txt"}
_STRIPE = (
    "apps", "climate", "entitlements", "events", "financial_connections", "forwarding", "identity", "issuing",
    "params", "product_catalog", "radar", "reporting", "reserve", "sigma", "tax", "terminal", "test_helpers",
    "three_d_secure", "treasury", "v2/commerce", "v2/core/accounts", "v2/core/vault", "v2/money_management",
)  # fmt: skip
_POWERTOOLS = (
    "auth_alpha", "circuit_breaker", "data_masking", "feature_flags", "idempotency", "kafka",
    "metadata", "parameters", "streaming", "validation",
)  # fmt: skip
# Parts of large packages that none of our imports reaches. Stripe's are loaded one by one, when they are used; its
# `params` are for type checkers only.
_PARTS = (
    *(f"stripe/{part}" for part in _STRIPE),
    "aws_lambda_powertools/event_handler",
    *(f"aws_lambda_powertools/utilities/{part}" for part in _POWERTOOLS),
    "pydantic/v1",  # a second pydantic, for those who still write for version 1
    "pydantic/mypy.py",
    # To build bindings. At run time argon2's and cryptography's are built, and need `_cffi_backend` alone.
    "cffi",
    "pycparser",
    # Faster guesses at a text's encoding; the same in Python lies beside them, and Stripe says what it sends.
    "charset_normalizer/*.so",
    "charset_normalizer/cli",
    "urllib3/contrib/emscripten",
)


def strip(tree: Path) -> None:
    """Delete what no function imports from an unpacked set of wheels, and what is in a file for others to read."""
    for folder in sorted(tree.rglob("*"), reverse=True):
        if folder.is_dir() and folder.name in _FOLDERS:
            shutil.rmtree(folder)
    for found in [found for part in _PARTS for found in tree.glob(part)]:
        shutil.rmtree(found) if found.is_dir() else found.unlink()
    for file in [file for file in tree.rglob("*") if file.is_file()]:
        in_metadata = file.parent.suffix == ".dist-info"
        if file.suffix in _SUFFIXES or (in_metadata and file.name in _METADATA):
            file.unlink()
        elif in_metadata and file.name == "METADATA":
            file.write_text(file.read_text().partition("\n\n")[0] + "\n")  # behind the fields comes the README
        elif file.suffix == ".so":
            strip_library(file)


def strip_library(file: Path) -> None:
    """Cut off an ELF file behind what is loaded: names for debuggers, and the table of sections that finds them.

    It is what `sstrip` does, here because a machine's `strip` often knows its own processor only. Loading goes by the
    segments. Raises ValueError for what is not a 64-bit little-endian ELF file.
    """
    content = bytearray(file.read_bytes())
    if content[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{file} is not a library for Lambda")
    (table,) = struct.unpack_from("<Q", content, 32)
    size, number = struct.unpack_from("<HH", content, 54)
    ends = [table + size * number]
    for at in range(table, table + size * number, size):
        offset, in_file = struct.unpack_from("<Q16xQ", content, at + 8)
        ends.append(offset + in_file)
    struct.pack_into("<Q", content, 40, 0)  # where the table of sections begins,
    struct.pack_into("<HHH", content, 58, 0, 0, 0)  # how large an entry is, how many there are, and which has names
    file.write_bytes(content[: max(ends)])
