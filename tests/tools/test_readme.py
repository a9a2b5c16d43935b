"""The texts tell the truth: README's program compiles against the public headers, links between files resolve, the
make targets that are named exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_hello_world_compiles():
    (program,) = re.findall(r"```c\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    command = "gcc -fsyntax-only -std=c17 -Wall -Wextra -Wno-unused-parameter -Werror -x c -Iinclude -"
    done = subprocess.run(command.split(), input=program, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_files_resolve(text):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text.read_text()):
        assert (text.parent / target).exists(), f"{target} does not exist"


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_that_are_named_exist(text):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for name in re.findall(r"(?:`|^)make ([a-z-]+)", text.read_text(), re.M):
        assert name in targets, f"make {name}"
