"""Reads docs/guide: the pages, their blocks of code, and these as files. Imported by check_guide and the tests.

```c with main() is a program; `c serve` is one that serves on 127.0.0.1:7878, `c run` one that ends with 0. The other
```c blocks of a page are one file, in order, behind an #include of everything; `c inside` is the inside of a function
that has srv, rq and rs: block_1() is the first of its page. Others are ```sh, ```cmake (a whole CMakeLists.txt), ```ini
(a unit of systemd), ```text."""

import re
from dataclasses import dataclass

import csource

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```[ \t]*$", re.M | re.S)
KINDS = {"c", "c serve", "c run", "c inside", "sh", "cmake", "ini", "text"}
LIBC = ("assert errno fcntl grp inttypes pthread pwd signal stdatomic stdbool stdint stdio stdlib string sys/socket "
        "sys/stat time unistd").split()
INSIDE = """static int block_%d(galley_server *srv, galley_request *rq, galley_response *rs)
{
#line %d "%s"
%s
    return 0;
}
"""
UNUSED = ["parameter", "function", "variable", "but-set-variable", "but-set-parameter"]
CC = ["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", *[f"-Wno-unused-{what}" for what in UNUSED]]


@dataclass
class Block:
    kind: str
    line: int  # of the first line inside
    text: str


def pages(root):
    return sorted((root / "docs/guide").glob("[0-9]*.md"))


def blocks(text):
    return [Block(match[1].strip(), csource.line_of(text, match.start()) + 1, match[2])
            for match in FENCE.finditer(text)]


def is_program(block):
    return block.kind.partition(" ")[0] == "c" and re.search(r"^int main\(", block.text, re.M)


def file_of_page(name, found, headers):
    """The C blocks of a page that are no programs, as one file; None if there are none."""
    pieces, insides = [], 0
    for block in found:
        if block.kind == "c inside":
            insides += 1
            pieces.append(INSIDE % (insides, block.line, name, block.text))
        elif block.kind == "c" and not is_program(block):
            pieces.append(f'#line {block.line} "{name}"\n{block.text}')
    includes = [f"#include <galley/{header}>\n" for header in headers] + [f"#include <{name}.h>\n" for name in LIBC]
    return "".join(includes + pieces) if pieces else None


def files_of_page(root, page):
    """{file name: text} of a page's blocks, and of its unit `PAGE.unit.c`. Programs are PAGE-LINE.KIND.c."""
    name, found = str(page.relative_to(root)), blocks(page.read_text())
    unit = file_of_page(name, found, sorted(path.name for path in (root / "include/galley").glob("*.h")))
    files = {f"{page.stem}.unit.c": unit} if unit else {}
    for block in found:
        if is_program(block):
            kind = block.kind.partition(" ")[2] or "main"
            files[f"{page.stem}-{block.line}.{kind}.c"] = f'#line {block.line} "{name}"\n{block.text}'
        elif block.kind in ("sh", "cmake", "ini"):
            files[f"{page.stem}-{block.line}.{block.kind}"] = block.text
    return files


def extract(root, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages(root):
        for name, text in files_of_page(root, page).items():
            (folder / name).write_text(text)
