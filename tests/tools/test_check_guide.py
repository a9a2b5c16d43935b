"""tools/check_guide: each rule finds its case, and lets through what is fine."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/check_guide"
HEADER = "#define GALLEY_ONE 1\ntypedef struct galley_server galley_server;\n" \
         "typedef struct galley_request galley_request;\ntypedef struct galley_response galley_response;\n" \
         "int galley_do(int what);\n"
INDEX = "[1](01-a.md) [2](02-b.md)\n"


def tree(first="# 1\n", second="# 2\n", index=INDEX, lead="Next: [2](02-b.md)\n"):
    return {"include/galley/a.h": HEADER, "docs/guide/README.md": index, "docs/guide/01-a.md": first + "\n" + lead,
            "docs/guide/02-b.md": second}


def block(kind, text):
    return f"# 1\n\n```{kind}\n{text}\n```\n"


def test_a_guide_of_two_pages_passes(check):
    done = check("guide", tree())
    assert done.returncode == 0 and done.stdout == "2 pages, 0 blocks\n", done.stdout


@pytest.mark.parametrize(
    "files, said",
    [
        (tree(index="[1](01-a.md)\n"), "does not name every page"),
        (tree(index="[2](02-b.md) [1](01-a.md)\n"), "does not name every page"),
        (tree(lead="The end.\n"), "does not lead to 02-b.md"),
        ({**tree(), "docs/guide/04-d.md": "# 4\n", "docs/guide/02-b.md": "[4](04-d.md)\n",
          "docs/guide/README.md": INDEX + "[4](04-d.md)\n"}, "is page 03"),
    ],
)
def test_pages_lead_from_one_to_the_next(check, files, said):
    done = check("guide", files)
    assert done.returncode == 1 and said in done.stdout, done.stdout


@pytest.mark.parametrize(
    "kind, text",
    [
        ("c", "static int one(void)\n{\n    return galley_do(GALLEY_ONE);\n}"),
        ("c", "static size_t two(int unused)\n{\n    return strlen(\"\");\n}"),
        ("c inside", "int three = galley_do(3);\nif (three) {\n    return three;\n}"),
        ("c run", "int main(void)\n{\n    return 0;\n}"),
        ("c serve", "#include <galley/a.h>\nint main(void)\n{\n    return galley_do(GALLEY_ONE);\n}"),
        ("sh", "for i in 1 2; do echo $i; done"),
        ("text", "galley_ anything ("),
    ],
)
def test_a_good_block_passes(check, kind, text):
    done = check("guide", tree(block(kind, text)))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "kind, text, said",
    [
        ("", "text", "no such kind of block: none"),
        ("cpp", "int a;", "no such kind of block: cpp"),
        ("c run", "int a;", "there is no main()"),
        ("c", "int f(void)\n{\n}", "01-a.md:6:"),  # a line of the page
        ("c", "int f(void)\n{\n    return strlenn(\"\");\n}", "strlenn"),
        ("c inside", "return nothing;", "nothing"),
        ("c", "#include <galley/a.h>\nint main(void)\n{\n    return galley_done(1);\n}", "galley_done"),
        ("sh", "for i in; do", "01-a-4.sh"),
    ],
)
def test_a_bad_block_is_found(check, kind, text, said):
    done = check("guide", tree(block(kind, text)))
    assert done.returncode == 1 and said in done.stdout, done.stdout


def test_a_later_block_sees_an_earlier_one(check):
    text = block("c", "enum { SEVEN = 7 };") + block("c inside", "return SEVEN;")
    assert check("guide", tree(text)).returncode == 0
    on_two_pages = tree(block("c", "enum { SEVEN = 7 };"), block("c inside", "return SEVEN;"))
    assert check("guide", on_two_pages).returncode == 1


@pytest.mark.parametrize("name", ["galley_undo()", "GALLEY_TWO"])
def test_names_that_the_headers_do_not_have_are_found(check, name):
    done = check("guide", tree(f"Call `{name}`.\n"))
    assert done.returncode == 1 and "01-a.md:1: there is no" in done.stdout, done.stdout


def test_blocks_become_files(check, tmp_path):
    check("guide", tree(block("c", "int a;") + block("c serve", "int main(void) {}") + block("sh", "true")))
    command = [sys.executable, str(TOOL), "--root", str(tmp_path), "--extract", str(tmp_path / "out")]
    assert subprocess.run(command).returncode == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["01-a-14.sh", "01-a-9.serve.c", "01-a.unit.c"]
    assert "int a;" in (tmp_path / "out/01-a.unit.c").read_text()
