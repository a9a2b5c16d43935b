"""Reads C files for the checks: which files there are, text without comments and literals, functions, structs.
It knows our clang-formatted code, not all of C. Imported by the check_* programs beside it."""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

C_FOLDERS = ("src", "include", "tests", "examples", "bench")
CONTROL = {"if", "for", "while", "switch", "else", "do"}
NOT_A_BLOCK = {"return", "sizeof", "case"}


def files(root, folders=C_FOLDERS, suffixes=(".c", ".h")):
    """Sorted paths of the C files under these folders of root."""
    found = []
    for folder in folders:
        found += [path for path in (root / folder).rglob("*") if path.suffix in suffixes and path.is_file()]
    return sorted(found)


LITERAL_OR_COMMENT = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def blank(text, keep_strings=False):
    """The same text with comments and the inside of literals turned into spaces; lines and columns stay."""

    def spaces(match):
        piece = match[0]
        if piece[0] in "\"'":
            return piece if keep_strings else piece[0] + " " * (len(piece) - 2) + piece[-1]
        return re.sub(r"[^\n]", " ", piece)

    return LITERAL_OR_COMMENT.sub(spaces, text)


DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)


def blank_directives(text):
    """Preprocessor lines (with their continuations) turned into spaces."""
    return DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


@dataclass
class Function:
    name: str
    line: int  # of the first line of its definition
    lines: int  # from there to the closing brace
    parameters: int
    nesting: int  # deepest control block, 1 for an if in the body
    start: int  # offsets of the body's braces in the text
    end: int


@dataclass
class Struct:
    name: str
    line: int
    fields: int


def matching_open(text, close):
    """Offset of the ( that the ) at `close` belongs to."""
    depth = 0
    for at in range(close, -1, -1):
        if text[at] == ")":
            depth += 1
        elif text[at] == "(":
            depth -= 1
            if depth == 0:
                return at
    return 0


def matching_close(text, open_brace):
    """Offset of the } that ends the { at `open_brace`; the end of the text if there is none."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, open_brace):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(text) - 1


def last_word(text, end):
    """The identifier that ends at `end`, white space ignored."""
    match = re.search(r"(\w+)\s*$", text[max(0, end - 200):end])
    return match[1] if match else ""


def count_parameters(inside):
    """Parameters of "int a, void (*f)(int, int)"."""
    if inside.strip() in ("", "void"):
        return 0
    depth, count = 0, 1
    for char in inside:
        depth += (char in "([") - (char in ")]")
        count += char == "," and depth == 0
    return count


def opens_control_block(text, brace):
    """Does this { belong to if, for, while, switch, else, do or a loop macro?"""
    before = text[:brace].rstrip()
    if before.endswith(")"):
        word = last_word(text, matching_open(text, len(before) - 1))
        return bool(word) and word not in NOT_A_BLOCK
    return last_word(text, brace) in ("else", "do")


def deepest_nesting(text, start, end):
    stack, deepest = [], 0
    for at in range(start + 1, end):
        if text[at] == "{":
            stack.append(opens_control_block(text, at))
            deepest = max(deepest, sum(stack))
        elif text[at] == "}" and stack:
            stack.pop()
    return deepest


def parameter_list(text, brace):
    """Offsets (open, close) of the parameter list of the function whose body is this {, or None."""
    end = len(text[:brace].rstrip())
    while end and text[end - 1] == ")":
        start = matching_open(text, end - 1)
        word = last_word(text, start)
        if word not in ("__attribute__", "__asm__"):
            return (start, end - 1) if word else None
        end = len(text[:start].rstrip()) - len(word)
        end = len(text[:end].rstrip())
    return None


def definition_start(text, name_at):
    """Where the definition begins whose name stands at name_at: after the last ; or } or empty line before."""
    start = max(text.rfind(mark, 0, name_at) for mark in (";", "}", "\n\n")) + 1
    while start < name_at and text[start].isspace():
        start += 1
    return start


def functions(text):
    """Function definitions of a file's text, TEST(name) {...} included."""
    text = blank_directives(blank(text))
    found, at = [], 0
    while (brace := text.find("{", at)) >= 0:
        if re.search(r'extern\s+"[ C]*"\s*$', text[:brace]):
            at = brace + 1  # its inside is the file's level still
            continue
        end = matching_close(text, brace)
        at = end + 1
        where = parameter_list(text, brace)
        if where is None:
            continue
        name = last_word(text, where[0])
        inside = text[where[0] + 1:where[1]]
        start = definition_start(text, text.rfind(name, 0, where[0]))
        is_test = name in ("TEST", "TEST_TIMEOUT")
        found.append(Function(
            inside.split(",")[0].strip() if is_test else name, line_of(text, start),
            line_of(text, end) - line_of(text, start) + 1, 0 if is_test else count_parameters(inside),
            deepest_nesting(text, brace, end), brace, end))
    return found


def count_fields(inside):
    """Members of a struct body; those of structs and unions inside it count, their braces do not."""
    flat = re.sub(r"\([^()]*\)", "", inside)
    return sum(1 + part.count(",") for part in re.split(r";", re.sub(r"\b(?:struct|union|enum)\s*\w*\s*\{", "", flat))
               if re.search(r"\w", part.replace("}", "")))


def structs(text):
    text = blank_directives(blank(text))
    found = []
    for match in re.finditer(r"\bstruct\b([^;{}()=]*)\{", text):
        end = matching_close(text, match.end() - 1)
        name = re.sub(r"[^\w ]", "", match[1]).split()
        found.append(Struct(name[-1] if name else "(unnamed)", line_of(text, match.start()),
                            count_fields(text[match.end():end])))
    return found


# ---- what every check does at its end


def arguments(doc):
    """The options all checks have: --root DIR and -v."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("-v", "--verbose", action="store_true", help="also print warnings")
    return parser


def finish(problems, summary):
    """Prints the violations and one line of summary, ends the program: 1 if there were violations."""
    for problem in problems:
        print(problem)
    print(summary + (f"; {len(problems)} violations" if problems else ""))
    sys.exit(1 if problems else 0)


def declared_name(declaration):
    """The function that a declaration names: `int galley_x(int a)`, or `galley_handler galley_x` by a function type."""
    names = re.findall(r"(galley_\w+)\s*\(", declaration) or re.findall(r"galley_\w+", declaration)[-1:]
    return names[0] if names else None
