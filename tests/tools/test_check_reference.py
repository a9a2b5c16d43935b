"""tools/check_reference and make_reference: what a comment must say, and where it may say it; what the pages say."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
BASE = "/** Version. */\n#define GALLEY_VERSION 0x000100u\n"
ALL = "/**\n * Do it. Returns 0. Any thread; does not block.\n */\nGALLEY_API int galley_a(int x);\n"


def header(text, first="/* galley/x.h — for tests. */"):
    return {"include/galley/base.h": BASE, "include/galley/x.h": f"{first}\n{text}"}


def test_a_function_that_says_everything_passes(check):
    done = check("reference", header(ALL))
    assert done.returncode == 0 and "1 public functions, 3 manual pages" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "text, words",
    [
        (ALL.replace(" Returns 0.", ""), "does not say what it returns"),
        (ALL.replace("Any thread; ", ""), "does not say which threads"),
        (ALL.replace("; does not block", ""), "does not say whether it blocks"),
        ("GALLEY_API int galley_a(int x);\n", "does not say a comment"),
        ("/** Do it. Any thread; never blocks. */\nGALLEY_API const char *galley_a(int x);\n", "what it returns"),
    ],
)
def test_what_a_comment_leaves_out_is_named(check, text, words):
    done = check("reference", header(text))
    assert done.returncode == 1 and words in done.stdout and "galley_a" in done.stdout, done.stdout + done.stderr


SHORT = "/** Do it. */\nGALLEY_API void galley_a(int x);\n"


@pytest.mark.parametrize(
    "text, first",
    [
        (SHORT, "/* galley/x.h — for tests. Any thread may call this; nothing blocks. */"),
        ("/* ---- things ----\n *\n * Any thread; none blocks.\n */\n\n" + SHORT, "/* galley/x.h — for tests. */"),
        ("/* The next two: any thread, never block. */\n\n" + SHORT, "/* galley/x.h — for tests. */"),
        ("/** A thing. Any thread may call the functions below; none blocks. */\ntypedef struct galley_t galley_t;\n"
         + SHORT, "/* galley/x.h — for tests. */"),
    ],
)
def test_a_comment_for_several_is_enough(check, text, first):
    done = check("reference", header(text, first))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_sections_comment_ends_with_the_section(check):
    text = "/* ---- one ----\n * Any thread; none blocks.\n */\n\n" + SHORT + "/* ---- two ---- */\n\n" + SHORT.replace("_a", "_b")
    done = check("reference", header(text))
    assert "galley_b: the comment does not say whether it blocks" in done.stdout and "galley_a" not in done.stdout


@pytest.fixture
def pages(tmp_path):
    def make(text):
        for path, words in header(text).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(words)
        subprocess.run([sys.executable, TOOLS / "make_reference", "--root", tmp_path], check=True, capture_output=True)
        return tmp_path / "build/reference"

    return make


def test_a_page_has_the_parts_of_the_comment_in_their_sections(pages):
    text = ("/**\n * Do it to x. See galley_b().\n *\n * Returns 0; GALLEY_EINVAL (x). Blocks: a little.\n */\n"
            "GALLEY_API int galley_a(int x, void (*fn)(void *arg)) GALLEY_MUST_CHECK;\n\n" + SHORT.replace("_a", "_b"))
    page = (pages(text) / "man3/galley_a.3").read_text()
    parts = dict(zip(page.split("\n.SH ")[1:], [None] * 99))
    parts = {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}
    assert parts["NAME"].startswith("galley_a \\- Do it to x")
    assert "galley_a(int \\fIx\\fB, void (*\\fIfn\\fB)(void *arg));" in parts["SYNOPSIS"]
    assert "MUST_CHECK" not in page
    assert "\\fBgalley_b\\fP(3)" in parts["DESCRIPTION"] and "Returns" not in parts["DESCRIPTION"]
    assert parts["RETURN VALUE"].startswith("Returns 0;") and "Blocks" not in parts["RETURN VALUE"]
    assert parts["THREADS AND BLOCKING"].startswith("Blocks: a little.")


def test_what_would_be_a_request_or_an_escape_is_only_text(pages):
    text = "/**\n * Do it.\n *\n *     .so /etc/passwd\n *     a\\b\n *\n * 'x' is a quote. Returns 0.\n */\nGALLEY_API int galley_a(int x);\n"
    page = (pages(text) / "man3/galley_a.3").read_text()
    assert "\\&.so /etc/passwd" in page and "a\\eb" in page and "\\&'x'" in page


def test_html_is_escaped_and_linked(pages):
    text = "/** If a < b & c, as galley_b(). */\nGALLEY_API void galley_a(int x);\n" + SHORT.replace("_a", "_b")
    page = (pages(text) / "html/x.html").read_text()
    assert "a &lt; b &amp; c" in page and '<a href="x.html#galley_b">galley_b()</a>' in page
