"""tools/check_abi: what breaks programs that were built before is named, what does not is let through."""

import shutil

import pytest

pytestmark = pytest.mark.skipif(not (shutil.which("abidiff") and shutil.which("gcc")), reason="needs abigail-tools, gcc")
HEADER = """/* galley/pool.h — for tests. */
#include <stddef.h>
#ifndef GALLEY_API
#define GALLEY_API __attribute__((visibility("default")))
#endif
typedef struct galley_pool galley_pool;
typedef int galley_fn(galley_pool *pool, int x);
enum { GALLEY_ONE = 1, GALLEY_TWO = 2 };
typedef struct galley_pair {
    int a, b;
} galley_pair;
typedef struct galley_x_options {
    size_t size;
    unsigned x;
    unsigned y;
    void (*f)(int a, void *ctx);
    char name[8];
} galley_x_options;
/** Do it. */
GALLEY_API int galley_do(galley_pool *pool, const galley_x_options *opt, galley_pair pair);
/** By its type. */
GALLEY_API galley_fn galley_by_type;
"""
HTTP = """/* galley/http.h — for tests. */
#ifndef GALLEY_API
#define GALLEY_API __attribute__((visibility("default")))
#endif
/** The other library has a function too. */
GALLEY_API int galley_http(void);
"""
MAP = "GALLEY_0.1 {\n    global: galley_*;\n    local: *;\n};\n"
TREE = {"packaging/galley.map": MAP, "packaging/galley-pool.map": MAP, "include/galley/http.h": HTTP}


@pytest.fixture
def changed(check):
    """changed(old, new): the check after that replacement in the header, with a baseline of before."""

    def run(old, new):
        assert check("abi", {**TREE, "include/galley/pool.h": HEADER}, "--update").returncode == 0
        assert old in HEADER
        return check("abi", {"include/galley/pool.h": HEADER.replace(old, new, 1)})

    return run


@pytest.mark.parametrize(
    "old, new",
    [
        ("/** Do it. */", "/** Do it well. */"),
        ("/** Do it. */", "/** New. */\nGALLEY_API void galley_new(void);\n/** Do it. */"),
        ("GALLEY_TWO = 2 ", "GALLEY_TWO = 2, GALLEY_THREE = 3 "),
        ("    char name[8];\n", "    char name[8];\n    long more;\n"),
    ],
)
def test_what_old_programs_do_not_notice_passes(changed, old, new):
    done = changed(old, new)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("galley_do(galley_pool *pool, ", "galley_do(", "galley_do"),
        ("GALLEY_API int galley_do", "GALLEY_API int galley_done", "galley_do"),
        ("int x);", "long x);", "galley_by_type"),
        ("GALLEY_TWO = 2", "GALLEY_TWO = 3", "constant GALLEY_TWO was 2 and is 3"),
        ("GALLEY_ONE = 1, ", "", "constant GALLEY_ONE was 1 and is gone"),
        ("    int a, b;", "    int b, a;", "member galley_pair.a int was 0 and is 4"),
        ("    int a, b;", "    int a, b, c;", "size galley_pair was 8 and is 12"),
        ("    unsigned y;\n", "", "member galley_x_options.y unsigned was 12 and is gone"),
        ("    unsigned x;\n", "    int x;\n", "member galley_x_options.x unsigned was 8 and is gone"),
        ("    unsigned x;\n", "    size_t z;\n    unsigned x;\n", "member galley_x_options.x unsigned was 8 and is 16"),
    ],
)
def test_what_breaks_old_programs_is_named(changed, old, new, words):
    done = changed(old, new)
    assert done.returncode == 1 and words in done.stdout and "make abi-baseline" in done.stdout, done.stdout


def test_without_a_baseline_it_says_how_to_make_one(check):
    done = check("abi", {**TREE, "include/galley/pool.h": HEADER})
    assert done.returncode == 1 and "make abi-baseline" in done.stdout


def test_the_baseline_names_no_folder_of_this_machine(check, tmp_path):
    check("abi", {**TREE, "include/galley/pool.h": HEADER}, "--update")
    for path in (tmp_path / "packaging/abi").iterdir():
        assert str(tmp_path) not in path.read_text() and "/tmp" not in path.read_text(), path
