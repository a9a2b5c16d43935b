"""check("layers", {"src/base/a.c": "..."}) runs a check of tools/ over a small tree of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
LAYERS = "base:\npool: base\nhttp: base\nexchange: base http\nserver: base pool exchange\ndaemon: base\n"


@pytest.fixture
def check(tmp_path):
    def run(name, files, *options):
        for path, text in {"src/LAYERS": LAYERS, **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        command = [sys.executable, str(TOOLS / f"check_{name}"), "--root", str(tmp_path), *options]
        return subprocess.run(command, capture_output=True, text=True)

    return run
