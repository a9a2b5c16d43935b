"""Finds which test cites which section of an RFC. Imported by check_rfc and make_conformance."""

import re

# A citation may be broken over two lines of a comment.
CITATION = re.compile(
    r"RFC[ -]?(\d{3,5})[ ,]*(?:\n[ \t]*\*?[ \t]*)?(?:§|section |s)[ ]?([0-9A-Z]+(?:\.[0-9]+)*)", re.I)
C_TEST = re.compile(r"^(?:TEST|TEST_TIMEOUT|BOTH|PROPERTY)\((\w+)", re.M)
PYTHON_TEST = re.compile(r"^def (test_\w+)", re.M)
TABLE_CASE = re.compile(r"^case (\w+)", re.M)
TABLE_RFC = re.compile(r"^rfc (\d+) §([0-9A-Z.]+)", re.M)
TEST_SUFFIXES = (".c", ".h", ".py", ".txt")


def find(text):
    """(number, section, offset) of each citation."""
    return [(match[1], match[2], match.start()) for match in CITATION.finditer(text)]


def _name_at(text, starts, offset):
    """The test that a citation belongs to: the one it stands in, or the one right below its comment."""
    name = None
    for start, test in starts:
        if start > offset:
            between = text[offset:start]
            is_its_comment = not re.search(r"^[^\s/*]", between, re.M) and "\n\n" not in between
            return test if is_its_comment else name
        name = test
    return name


def of_test_file(path, text):
    """(number, section, name) for each citation of a test; name is None above the first test."""
    if path.suffix == ".txt":
        cases = [(match.start(), match[1]) for match in TABLE_CASE.finditer(text)]
        return [(match[1], match[2], _name_at(text, cases, match.start())) for match in TABLE_RFC.finditer(text)]
    pattern = PYTHON_TEST if path.suffix == ".py" else C_TEST
    starts = [(match.start(), match[1]) for match in pattern.finditer(text)]
    return [(number, section, _name_at(text, starts, offset)) for number, section, offset in find(text)]
