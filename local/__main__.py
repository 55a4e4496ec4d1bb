"""`python -m local` runs Parley here; PORT, PARLEY_DATA and PARLEY_SEED choose port, folder and demo data."""

import os
import sys
from pathlib import Path

from local.processes import StartFailed
from local.stack import Settings, run


def main() -> int:
    """Read the environment and run; 1 with one sentence on stderr when it cannot start."""
    try:
        return run(_settings())
    except StartFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _settings() -> Settings:
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StartFailed(f"PORT must be a number from 1 to 65535, not {text!r}")
    seed = os.environ.get("PARLEY_SEED") or "demo"
    if seed not in {"demo", "none"}:
        raise StartFailed(f"PARLEY_SEED must be none, for an empty start, or left out, not {seed!r}")
    data = Path(os.environ.get("PARLEY_DATA") or ".local").resolve()
    return Settings(int(text), data, seed == "demo")


if __name__ == "__main__":
    sys.exit(main())
