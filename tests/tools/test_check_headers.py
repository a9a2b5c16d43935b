"""tools/check_headers: headers that lean on others, and public ones that C++ refuses."""

import shutil

import pytest

pytestmark = pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("g++")), reason="needs gcc and g++")


def test_headers_that_stand_alone_pass(check):
    done = check("headers", {
        "src/base/a.h": "#ifndef A_H\n#define A_H\n#include <stddef.h>\nstatic inline size_t f(void)\n"
                        "{\n    return 0;\n}\n#endif\n",
        "include/galley/b.h": "#ifndef B_H\n#define B_H\ntypedef struct galley_b galley_b;\n#endif\n"})
    assert done.returncode == 0, done.stdout


def test_a_header_that_needs_another_is_found(check):
    done = check("headers", {"src/base/a.h": "#ifndef A_H\n#define A_H\nsize_t f(void);\n#endif\n"})
    assert done.returncode == 1 and "src/base/a.h: gcc" in done.stdout


def test_a_public_header_that_is_no_cpp_is_found(check):
    done = check("headers", {"include/galley/b.h": "#ifndef B_H\n#define B_H\nint f(int class);\n#endif\n"})
    assert done.returncode == 1 and "include/galley/b.h: g++" in done.stdout


def test_a_table_of_rows_is_no_header(check):
    assert check("headers", {"src/base/code_list.h": "X(ONE, 1)\n"}).returncode == 0
