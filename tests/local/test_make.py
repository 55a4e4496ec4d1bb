"""What `make` does to the local data."""

import fcntl
import subprocess
import sys
from pathlib import Path

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


def test_clean_leaves_the_data_of_a_running_stack_alone(tmp_path):
    data = tmp_path / ".local"
    data.mkdir()
    (data / "demo.json").write_text("{}")
    with (data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = clean(tmp_path)
    assert refused.returncode != 0
    assert "A stack is running" in refused.stderr
    assert (data / "demo.json").exists()
    assert clean(tmp_path).returncode == 0
    assert not data.exists()


def clean(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "-f", str(MAKEFILE), f"VENV={sys.prefix}", "clean"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
