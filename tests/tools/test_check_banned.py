"""tools/check_banned: each rule finds its case, and what looks alike is left alone."""

import pytest


@pytest.mark.parametrize(
    "path, line",
    [
        ("src/daemon/a.c", "    strcpy(a, b);"),
        ("tests/unit/base/a.c", "    x = strtok (a, b);"),
        ("examples/book/a.c", "    sprintf(a, b);"),
        ("src/http/a.c", "    printf(a);"),
        ("src/http/a.c", "    exit(1);"),
        ("src/http/a.c", "    fprintf(stderr, a);"),
        ("src/http/a.c", "    a = malloc(3);"),
        ("src/daemon/a.c", "    free(a);"),
        ("src/wire/a.c", "    a = strtoul(b, 0, 10);"),
        ("src/wire/a.c", "    a(); /* TODO later */"),
        ("src/wire/a.c", "    a();  "),
        ("docs/a.md", "FIXME: write"),
        ("tests/unit/base/a.c", '#include "base/alloc.c"'),
        ("src/http/a.c", "#ifdef __SSE2__"),
        ("src/base/a.c", "}\nvoid g(void)\n{\n#ifdef X\n    a();\n#endif"),
    ],
)
def test_a_banned_thing_is_found(check, path, line):
    done = check("banned", {path: f"void f(void)\n{{\n{line}\n}}\n"})
    assert done.returncode == 1 and f"{path}:" in done.stdout, done.stdout


@pytest.mark.parametrize(
    "path, line",
    [
        ("src/http/a.c", '    a("printf(x) malloc(3)"); /* free(x) is not called */'),
        ("src/http/a.c", "    ops->free(a); ops.exit(b); my_malloc(c); snprintf(a, 1, b);"),
        ("src/daemon/a.c", "    printf(a); exit(1);"),
        ("src/base/check.c", "    abort();"),
        ("src/base/alloc.c", "    a = malloc(3);"),
        ("tests/unit/base/a.c", "    printf(a); free(b);"),
        ("src/base/text.c", "    strtoul(a, b, 10);"),
        ("src/wire/a.c", '    a("mkstemp.XXXXXX");'),
        ("src/wire/scan_avx2.c", "}\n#if defined(__x86_64__)\nvoid g(void)\n{\n}\n#endif\nvoid h(void)\n{"),
    ],
)
def test_what_only_looks_alike_is_left_alone(check, path, line):
    done = check("banned", {path: f"void f(void)\n{{\n{line}\n}}\n"})
    assert done.returncode == 0, done.stdout


def test_include_guards_are_no_conditionals(check):
    assert check("banned", {"src/http/a.h": "#ifndef HTTP_A_H\n#define HTTP_A_H\n#endif\n"}).returncode == 0
