"""tools/check_sizes and the reading of C in tools/csource.py."""

import pytest

import csource


def only(text):
    (found,) = csource.functions(text)
    return found


def body(lines):
    return "int f(int a)\n{\n" + "    a++;\n" * lines + "}\n"


def test_a_function_is_measured_from_its_head_to_its_brace():
    found = only("int x;\n\nstatic int\nadd(int a,\n    int b)\n{\n    return a + b;\n}\n")
    assert (found.name, found.line, found.lines, found.parameters) == ("add", 3, 6, 2)


@pytest.mark.parametrize(
    "inside, count",
    [("void", 0), ("", 0), ("int a", 1), ("int a, void (*f)(int, int), char b[2]", 3), ("const char *f, ...", 2)],
)
def test_parameters_are_counted(inside, count):
    assert only(f"int f({inside})\n{{\n}}\n").parameters == count


@pytest.mark.parametrize(
    "inside, depth",
    [
        ("", 0),
        ("if (a) { b(); } else { c(); }", 1),
        ("if (a) { } else if (b) { } else { }", 1),
        ("for (;;) { while (a) { do { } while (b); } }", 3),
        ("switch (a) { case 1: { b(); } }", 1),
        ("struct span s = {1, 2}; if (a) { s = (struct span){3, 4}; }", 1),
        ("f((struct a){{1}, 2}); int x[] = {1, 2};", 0),
        ("return (struct span){a, b};", 0),
        ("list_for_each(a, b) { if (c) { } }", 2),
        ('puts("{{{{"); /* { { */ char c = \'{\';', 0),
    ],
)
def test_nesting_counts_control_blocks_only(inside, depth):
    assert only(f"void f(void)\n{{\n    {inside}\n}}\n").nesting == depth


@pytest.mark.parametrize(
    "text",
    [
        "struct a {\n    int b;\n};\n",
        "static const int a[] = {1, 2};\n",
        "enum { A, B };\n",
        "#define F(x) \\\n    do { \\\n    } while (0)\n",
        "int f(void);\n",
        "static const struct a *const b = &(struct a){1};\n",
    ],
)
def test_what_is_no_function_is_not_taken_for_one(text):
    assert csource.functions(text) == []


def test_functions_are_found_after_attributes_in_extern_c_and_as_tests():
    text = (
        'extern "C" {\nstruct a { int b; };\nvoid f(int) __attribute__((nonnull(1)));\n'
        "int g(int a) __attribute__((noinline))\n{\n}\n}\nTEST(it_works)\n{\n    if (a) {\n    }\n}\n"
    )
    assert [found.name for found in csource.functions(text)] == ["g", "it_works"]


def test_a_function_pointer_table_is_no_function():
    assert csource.functions("static const struct ops ops = {\n    .f = g,\n};\n") == []


@pytest.mark.parametrize(
    "inside, count",
    [
        ("int a; int b, c;", 3),
        ("void (*f)(int, int); char d[4];", 2),
        ("union { int a; long b; } u; int c;", 4),
        ("", 0),
    ],
)
def test_fields_are_counted(inside, count):
    assert csource.structs(f"struct a {{\n{inside}\n}};\n")[0].fields == count


def test_short_code_passes(check):
    assert check("sizes", {"src/base/a.c": body(30)}).returncode == 0


def test_a_warning_does_not_fail_and_is_shown_when_asked(check):
    done = check("sizes", {"src/base/a.c": body(45)}, "-v")
    assert done.returncode == 0 and "a.c:1: f: 48 lines, better at most 40" in done.stdout


@pytest.mark.parametrize(
    "path, text, words",
    [
        ("src/base/a.c", body(58), "f: 61 lines, limit 60"),
        ("src/base/a.c", "int a;\n" * 601, "601 lines, limit 600"),
        ("include/galley/a.h", "int a;\n" * 301, "301 lines, limit 300"),
        ("tests/unit/a.c", "void f(int a, int b, int c, int d, int e, int g, int h)\n{\n}\n", "7 parameters, limit 6"),
        ("src/base/a.c", "void f(void)\n{\n" + "if (a) {" * 5 + "}" * 5 + "\n}\n", "5 levels of nesting, limit 4"),
        ("src/base/a.h", "struct a {\n" + "    int b;\n" * 31 + "};\n", "31 fields, limit 30"),
    ],
)
def test_more_than_the_limit_fails(check, path, text, words):
    done = check("sizes", {path: text})
    assert done.returncode == 1 and words in done.stdout, done.stdout


def test_an_exception_needs_a_reason(check):
    code = {"src/base/a.c": body(58)}
    assert check("sizes", {**code, "tools/sizes.allow": "src/base/a.c:f\n"}).returncode == 1
    assert check("sizes", {**code, "tools/sizes.allow": "src/base/a.c:f one table\n"}).returncode == 0


def test_an_exception_that_nothing_needs_is_told(check):
    done = check("sizes", {"src/base/a.c": body(3), "tools/sizes.allow": "src/base/a.c:f once long\n"})
    assert done.returncode == 1 and "needs no exception" in done.stdout
