"""tools/check_rfc, check_format and check_static, and the sum that tools/check_all prints."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def test_citations_are_counted_and_untested_ones_listed(check):
    done = check("rfc", {
        "src/base/a.c": "/* RFC 9112 §6.3: x */ /* RFC 9110 §13.2.2, y */\n",
        "tests/unit/base/a.c": "/* RFC 9112 §6.3 */\n"}, "-v")
    assert done.returncode == 0
    assert "2 citations in code, 1 in tests; 1 sections" in done.stdout
    assert "RFC 9110 §13.2.2: cited by no test" in done.stdout


def test_a_citation_over_two_lines_counts_and_belongs_to_the_test_below(check):
    done = check("rfc", {
        "src/base/a.c": "/* as in RFC 9112\n * §6.3: x */\n",
        "tests/unit/base/test_a.c": "/* RFC 9112 §6.3 */\nTEST(test_it)\n{\n}\n",
        "docs/conformance.md": "old\n"})
    assert done.returncode == 1 and "docs/conformance.md:1: out of date" in done.stdout
    assert "1 citations in code, 1 in tests; 0 sections" in done.stdout


def test_the_page_of_conformance_names_the_tests(check, tmp_path):
    (tmp_path / "docs").mkdir(exist_ok=True)
    check("rfc", {"src/base/a.c": "/* RFC 9112 §6.3 */\n",
                  "tests/unit/base/test_a.c": "TEST(test_one)\n{\n    /* RFC 9112 §6.3 */\n}\n"})
    subprocess.run([sys.executable, str(TOOLS / "make_conformance"), "--root", str(tmp_path)], check=True)
    page = (tmp_path / "docs/conformance.md").read_text()
    assert "| §6.3 | 1 | `test_a`: one |" in page


@pytest.mark.skipif(not shutil.which("clang-format-14"), reason="needs clang-format 14")
def test_unformatted_code_is_found(check):
    style = (TOOLS.parent / ".clang-format").read_text()
    assert check("format", {".clang-format": style, "src/base/a.c": "int a;\n"}).returncode == 0
    done = check("format", {".clang-format": style, "src/base/b.c": "int   a ;\n"})
    assert done.returncode == 1 and "src/base/b.c:1" in done.stdout


@pytest.mark.skipif(not shutil.which("cppcheck"), reason="needs cppcheck")
def test_static_analysis_finds_an_index_out_of_bounds(check):
    code = "int f(void)\n{\n    int a[2] = {0, 1};\n    return a[2];\n}\n"
    done = check("static", {"src/base/a.c": code})
    assert done.returncode == 1 and "src/base/a.c:4: arrayIndexOutOfBounds" in done.stdout


def test_check_all_ends_with_the_sum(tmp_path):
    for name, code in (("good", 0), ("bad", 1)):
        (tmp_path / f"check_{name}").write_text(f"print('a.c:1: odd')\nprint('said {name}')\nraise SystemExit({code})\n")
    (tmp_path / "check_all").write_text((TOOLS / "check_all").read_text())
    done = subprocess.run([sys.executable, str(tmp_path / "check_all"), "good", "bad"], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and lines[-1] == "1 passed, 1 failed"
    assert lines[0].startswith("ok") and lines[1].startswith("FAILED") and lines[2].strip() == "a.c:1: odd"
