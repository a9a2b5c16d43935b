"""tools/check_errors: which errors a comment promises, and what counts as a test that sees one."""

import pytest

HEADER = """/* galley/x.h — for tests. */
/** Do it. Returns 0, GALLEY_EINVAL. */
GALLEY_API int galley_a(int x);
/** Do more. Returns as galley_a(). */
GALLEY_API int galley_b(int x);
/** Make one. NULL: GALLEY_ENOMEM. */
GALLEY_API galley_x *galley_new(int x, galley_error *err);
/** How many. */
GALLEY_API int galley_count(void);
/** Ends what galley_a() began, which is then GALLEY_ESTATE. */
GALLEY_API void galley_end(void);
"""
SEEN = """TEST(all)
{
    galley_error err;
    EXPECT_INT(galley_a(1), GALLEY_EINVAL);
    EXPECT_INT(galley_b(1), GALLEY_EINVAL);
    galley_x *x = galley_new(1, &err);
    EXPECT_INT(err.code, GALLEY_ENOMEM);
}
"""
NEEDS_A = "EXPECT_INT(galley_a(1), GALLEY_EINVAL);"


@pytest.fixture
def run(check):
    def with_test(test, header=HEADER, allow=None):
        files = {"include/galley/x.h": header, "tests/public/test_x.c": test}
        return check("errors", files | ({"tools/errors.allow": allow} if allow else {}))

    return with_test


def test_every_promise_that_is_seen_passes(run):
    done = run(SEEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "3 errors of 4 functions, 0 of them excused\n"


@pytest.mark.parametrize(
    "left_out, name, code",
    [
        (NEEDS_A, "galley_a", "GALLEY_EINVAL"),
        ("EXPECT_INT(galley_b(1), GALLEY_EINVAL);", "galley_b", "GALLEY_EINVAL"),
        ("EXPECT_INT(err.code, GALLEY_ENOMEM);", "galley_new", "GALLEY_ENOMEM"),
    ],
)
def test_what_no_test_sees_is_named(run, left_out, name, code):
    done = run(SEEN.replace(left_out, ""))
    assert done.returncode == 1 and f"{name}: no test sees {code}" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "EXPECT(galley_a(1) == GALLEY_EINVAL);",
        "int rc = galley_a(1); EXPECT(x); EXPECT_INT(rc, GALLEY_EINVAL);",
        "world.rc = galley_a(1);",
        "expect_code(galley_a(1), GALLEY_EINVAL);",
        "refuse(1, GALLEY_EINVAL);",
        "EXPECT_INT(a_of(1), GALLEY_EINVAL);",
        "/* shows: GALLEY_EINVAL of galley_b(),\n     * galley_a() */",
    ],
)
def test_ways_of_seeing(run, words):
    helpers = ("static void refuse(int x, int code)\n{\n    EXPECT_INT(galley_a(x), code);\n}\n"
               "static int a_of(int x)\n{\n    return galley_a(x);\n}\n")
    member = "TEST(looks)\n{\n    EXPECT_INT(world.rc, GALLEY_EINVAL);\n}\n" if "world" in words else ""
    done = run(helpers + SEEN.replace(NEEDS_A, words) + member)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "EXPECT(galley_a(1) == 0 && other() == GALLEY_EINVAL);",
        "galley_a(1); EXPECT_INT(other(), GALLEY_EINVAL);",
        "/* EXPECT_INT(galley_a(1), GALLEY_EINVAL); */",
        'puts("galley_a(1) == GALLEY_EINVAL");',
        "int rc = galley_a(1); rc = other(); EXPECT_INT(rc, GALLEY_EINVAL);",
    ],
)
def test_what_is_no_seeing(run, words):
    done = run(SEEN.replace(NEEDS_A, words))
    assert done.returncode == 1 and "galley_a: no test sees" in done.stdout, done.stdout + done.stderr


def test_comments_for_several_promise_to_those_that_return_codes(run):
    header = HEADER.replace("for tests. */", "for tests. NULL is GALLEY_ECLOSED. */")
    done = run(SEEN, header)
    assert "galley_a: no test sees GALLEY_ECLOSED" in done.stdout and "galley_b: no test sees" in done.stdout
    assert "galley_count" not in done.stdout and "galley_new" not in done.stdout


def test_exceptions_want_a_reason_and_a_use(run):
    test = SEEN.replace(NEEDS_A, "")
    assert run(test, allow="galley_a GALLEY_EINVAL nothing brings it about\n").returncode == 0
    assert "a reason" in run(test, allow="galley_a GALLEY_EINVAL\n").stdout
    assert "is not needed" in run(SEEN, allow="galley_a GALLEY_EINVAL why\n").stdout
    assert "does not promise" in run(test, allow="galley_a GALLEY_EFULL why\n").stdout
