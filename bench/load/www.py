"""The files that every server serves: the same bytes on every machine. Imported by bench/load/run."""

import gzip
import os
import random
import shutil
import subprocess

SIZES = {"1k.bin": 1_000, "10k.bin": 10_000, "100k.bin": 100_000, "1m.bin": 1_000_000}
SMALL = "small.html"
SMALL_BYTES = 173
# What a page of today loads: (name, bytes); text has compressed neighbours, the rest is compressed by nature.
MIX = [
    ("index.html", 15_000), ("about.html", 4_000), ("article.html", 40_000),
    ("reset.css", 3_000), ("site.css", 40_000), ("print.css", 12_000), ("icons.css", 120_000),
    ("app.js", 150_000), ("vendor.js", 300_000), ("menu.js", 5_000), ("search.js", 60_000), ("form.js", 20_000),
    ("logo.svg", 3_000), ("map.svg", 20_000), ("arrow.svg", 6_000),
    ("text.woff2", 25_000), ("title.woff2", 60_000),
    ("face.png", 15_000), ("cover.jpg", 90_000), ("view.webp", 200_000),
]
TEXT = (".html", ".css", ".js", ".svg")
LONG_AGO = 1_700_000_000  # a neighbour must not be older than its file
LINES = {
    ".html": '<p class="{0}">{1} {2} <a href="/{0}/{1}">{3}</a> {4} {5}.</p>\n',
    ".css": ".{0} > .{1}:hover {{ {2}: {3}px; --{4}: var(--{5}); }}\n",
    ".js": "export function {0}({1}, {2}) {{ return {3}.{4}({1} + '{5}', {2}); }}\n",
    ".svg": '<path id="{0}" class="{1}" d="M{2} {3}c{4} {5}z"/>\n',
}


def words(source, count):
    letters = "etaoinshrdlucmfwypvbgkjq"
    return ["".join(source.choices(letters, weights=range(24, 0, -1), k=source.randint(2, 11))) for _ in range(count)]


def text(source, suffix, size):
    """About as compressible as what people write."""
    vocabulary = words(source, 40 + size // 60)
    weights = [1 / (rank + 2) for rank in range(len(vocabulary))]
    lines, length = [], 0
    while length < size:
        lines.append(LINES[suffix].format(*source.choices(vocabulary, weights, k=6)))
        length += len(lines[-1])
    return "".join(lines)[:size].encode()


def write(path, data):
    path.write_bytes(data)
    os.utime(path, (LONG_AGO, LONG_AGO))


def compress(path, quality):
    """path.gz and, where the program is there, path.br."""
    write(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes(), 9, mtime=0))
    if shutil.which("brotli"):
        neighbour = path.with_name(path.name + ".br")
        subprocess.run(["brotli", "-q", str(quality), "-f", "-o", neighbour, path], check=True)
        os.utime(neighbour, (LONG_AGO, LONG_AGO))


def make(folder, has_mix=True, quality=11, has_plain=True):
    """Writes all files into this new folder, which anybody may read; compressing those of the mix takes seconds, with
    less quality of brotli it does not. `plain` has the same files without compressed neighbours."""
    folder.mkdir(mode=0o755)
    source = random.Random(173)
    write(folder / SMALL, b"<!doctype html>\n<title>small</title>\n".ljust(SMALL_BYTES - 1, b".") + b"\n")
    for name, size in SIZES.items():
        write(folder / name, source.randbytes(size))
    for sub in ("mix", "plain"):
        (folder / sub).mkdir(mode=0o755)
    for name, size in MIX if has_mix or has_plain else ():
        path = folder / "mix" / name
        is_text = path.suffix in TEXT
        data = text(source, path.suffix, size) if is_text else source.randbytes(size)
        if has_plain:
            write(folder / "plain" / name, data)
        if has_mix:
            write(path, data)
            if is_text:
                compress(path, quality)
