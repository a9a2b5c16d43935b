"""tools/check_symbols against small libraries built here."""

import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("nm")), reason="needs gcc and binutils")
HEADER = "/** A. */\nGALLEY_API int galley_a(void);\n/** By type. */\nGALLEY_API galley_fn galley_f;\n"
GOOD = '__attribute__((visibility("default"))) int galley_a(void) { return 0; }\n' \
    '__attribute__((visibility("default"))) void galley_f(void *x) { (void)x; }\nint inner(void) { return 1; }\n'


@pytest.fixture
def symbols(check, tmp_path):
    def run(code):
        (tmp_path / "a.c").write_text(code)
        for command in (
            "gcc -fvisibility=hidden -fPIC -c a.c -o a.o",
            "gcc -shared a.o -o libgalley-pool.so",
            "ar rcs libgalley-pool.a a.o",
        ):
            subprocess.run(command.split(), cwd=tmp_path, check=True)
        return check("symbols", {"include/galley/pool.h": HEADER}, "--build", str(tmp_path))

    return run


def test_a_library_that_keeps_its_promises_passes(symbols):
    done = symbols(GOOD)
    assert done.returncode == 0 and "libgalley-pool exports 2 functions" in done.stdout, done.stdout


@pytest.mark.parametrize(
    "code, words",
    [
        (GOOD + '__attribute__((visibility("default"))) int leaked(void) { return 2; }\n', "exports leaked"),
        ("int galley_a(void) { return 0; }\n", "lacks galley_a"),
        (GOOD + "int galley_secret(void) { return 2; }\n", "galley_secret is global"),
    ],
)
def test_a_broken_promise_is_named(symbols, code, words):
    done = symbols(code)
    assert done.returncode == 1 and words in done.stdout, done.stdout


def test_without_a_build_it_says_so(check, tmp_path):
    done = check("symbols", {}, "--build", str(tmp_path / "nowhere"))
    assert done.returncode == 0 and "libgalley is not built" in done.stdout
