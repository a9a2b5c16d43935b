"""tools/check_docs: a public function needs a comment of its own directly above."""

import pytest

ABOVE = "/** What it does. */\n"


@pytest.mark.parametrize(
    "text",
    [
        ABOVE + "GALLEY_API int galley_a(void);\n",
        "/**\n * Long.\n */\nGALLEY_API int\ngalley_a(int b,\n         int c) GALLEY_MUST_CHECK;\n",
        "int galley_inline(void);\n",
    ],
)
def test_a_documented_function_passes(check, text):
    done = check("docs", {"include/galley/a.h": text})
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "GALLEY_API int galley_a(void);\n",
        "/* not a doc comment */\nGALLEY_API int galley_a(void);\n",
        ABOVE + "GALLEY_API int galley_b(void);\nGALLEY_API int galley_a(void);\n",
        ABOVE + "int b;\nGALLEY_API int galley_a(void);\n",
        "GALLEY_API galley_handler galley_a;\n",
    ],
)
def test_an_undocumented_function_is_named(check, text):
    done = check("docs", {"include/galley/a.h": text})
    assert done.returncode == 1 and "galley_a has no" in done.stdout
