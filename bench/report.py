"""What was measured, as a table for people and as JSON for machines, and whether it keeps its bounds."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured value; with a `limit`, larger is a failure."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the value is within its limit, if it has one."""
        return self.limit is None or self.value <= self.limit


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as text columns."""
    rows = [("", "value", "limit", "")]
    for each in figures:
        limit = "" if each.limit is None else f"{each.limit:g}"
        rows.append((each.name, f"{each.value:,.2f} {each.unit}", limit, each.note if each.kept else "OVER THE LIMIT"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {limit:>{widths[2]}}  {note}".rstrip()
        for name, value, limit, note in rows
    ]
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """Return what the absolute figures depend on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_average_at_start": load,
    }


def write(path: Path, figures: Sequence[Figure], about: dict[str, object]) -> None:
    """Write the figures and what they were measured on."""
    document = {
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": about,
        "figures": [asdict(each) | {"kept": each.kept} for each in figures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")
