"""Two local stacks that know of each other and share a directory, which is a part of neither."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.stack import Stack
from local.engines import create_table, directory_definition, start_dynoxide

DIRECTORY = "parley-local-directory"
CODES = ("eu1", "us1")


@dataclass(frozen=True)
class Pair:
    """The stacks by their regions' codes, and where the directory's file is."""

    stacks: dict[str, Stack]
    directory: Path


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Pair]:
    """Start everything in `folder`; whatever happens, nothing of it runs after the block."""
    shared = folder / "directory"
    shared.mkdir()
    engine = start_dynoxide(shared / "directory.sqlite", shared / "dynoxide.log")
    stacks = {code: Stack(folder / code) for code in CODES}
    try:
        create_table(engine.endpoint, DIRECTORY, directory_definition())
        known = {
            "PARLEY_REGIONS": json.dumps({code: stack.base_url for code, stack in stacks.items()}),
            "PARLEY_DIRECTORY_TABLE": DIRECTORY,
            "PARLEY_DIRECTORY_ENDPOINT": engine.endpoint,
        }
        for code, stack in stacks.items():
            (folder / code).mkdir()
            stack.settings |= {**known, "PARLEY_REGION": code}
            stack.start()
        yield Pair(stacks, shared)
    finally:
        for stack in stacks.values():
            stack.stop()
        engine.stop()
