"""examples/site holds together: each precompressed neighbour is its file, the links lead somewhere."""

import gzip
import re
import shutil
import subprocess

import pytest

import galley

SITE = galley.ROOT / "examples/site"
NEIGHBOURS = sorted(path for path in SITE.rglob("*") if path.suffix in (".br", ".zst", ".gz"))
PAGES = sorted(SITE.rglob("*.html"))


def decoded(path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    command = {".br": "brotli", ".zst": "zstd"}[path.suffix]
    if not shutil.which(command):
        pytest.skip(f"{command} is missing: run `make setup`")
    return subprocess.run([command, "-dc", path], capture_output=True, check=True).stdout


@pytest.mark.once
@pytest.mark.parametrize("path", NEIGHBOURS, ids=lambda path: str(path.relative_to(SITE)))
def test_a_precompressed_neighbour_decodes_to_its_file(path):
    assert decoded(path) == path.with_suffix("").read_bytes(), "run tools/site/precompress examples/site"


@pytest.mark.once
def test_every_text_file_has_its_three_neighbours():
    texts = [path for path in SITE.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")]
    large = [path for path in texts if path.stat().st_size > 1024]
    expected = {path.with_name(path.name + coding) for path in large for coding in (".br", ".zst", ".gz")}
    assert set(NEIGHBOURS) == expected


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(SITE)))
def test_what_a_page_names_is_there(page):
    for target in re.findall(r'(?:href|src|poster)="(/[^"]*)"', page.read_text()):
        path = SITE / target[1:]
        assert (path / "index.html" if target.endswith("/") else path).is_file(), target


@pytest.mark.parametrize("path", [path for path in NEIGHBOURS if path.suffix == ".br"], ids=lambda path: path.name)
def test_the_neighbour_is_what_a_client_gets(serve, path):
    plain = path.with_suffix("")
    target = "/" + str(plain.relative_to(SITE))
    server = serve(root=SITE)
    for coding, neighbour in (("br", path), ("zstd", plain.with_name(plain.name + ".zst")), ("identity", plain)):
        response = server.get(target, {"Accept-Encoding": coding})
        assert response.status == 200
        assert response.header("Content-Encoding", "identity") == coding
        assert response.body == neighbour.read_bytes()
