"""Row 21 of the exercise: a real browser loads examples/site and examples/book. One visit collects the facts
(tests/browser/visit_site.mjs), each test looks at some of them."""

import pytest

import book
import browser
import galley

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.xdist_group("browser")]


def visit(tmp_path_factory, argv, script):
    folder = tmp_path_factory.mktemp("visit")
    browser.node(), browser.chromium()
    assert galley.Path(argv[0]).exists(), f"{argv[0]} is not built"
    server = galley.Server(argv, folder / "server")
    try:
        facts = browser.visit(script, server.wait_ready().url, folder)
        facts["folder"] = folder
        server.stop()
    finally:
        server.kill()
    facts["log"] = server.stdout
    return facts


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    options = ["--listen=127.0.0.1:0", "--access-log=-", "--log-format=dev"]
    return visit(tmp_path_factory, [galley.program_path(), *options, galley.ROOT / "examples/site"], "visit_site.mjs")


@pytest.fixture(scope="module")
def exercise(tmp_path_factory):
    argv = [galley.built("examples", "book"), "--port=0", f"--sleep={round(4 * galley.SLOW)}", book.FOLDER]
    return visit(tmp_path_factory, argv, "visit_book.mjs")


def responses(visit, path):
    return [response for response in visit["responses"] if response["path"] == path]


@pytest.mark.parametrize("step", ["home", "buttons", "icons", "video", "redirect", "atOnce", "again", "pictures"])
def test_row_21_nothing_complains(site, step):
    """No error or warning in the console, no script that throws, no request that fails."""
    assert site[step]["complaints"] == []


def test_row_21_page_with_style_script_font_and_image(site):
    home = site["home"]
    assert home["status"] == 200
    assert home["heading"] == "A fixed crew works through the orders"
    assert home["paper"] == "rgb(251, 247, 239)"
    assert home["isFontReady"] and home["fonts"] == ["Galley Slug: loaded"]
    assert home["imageWidth"] > 0
    assert home["arrival"].startswith("This page came by http/1.1 in ")
    types = {response["path"]: response["type"] for response in home["responses"]}
    assert types["/"] == "text/html"
    assert types["/style.css"] == "text/css"
    assert types["/app.js"] == "text/javascript"
    assert types["/fonts/galley-slug.woff2"] == "font/woff2"
    assert types["/img/galley.svg"] == "image/svg+xml"


@pytest.mark.parametrize("path", ["/", "/style.css", "/app.js", "/img/galley.svg"])
def test_row_21_text_comes_compressed(site, path):
    (response,) = responses(site["home"], path)
    assert response["headers"]["content-encoding"] == "br"
    assert response["headers"]["vary"] == "Accept-Encoding"


def test_row_21_the_buttons_work(site):
    assert site["buttons"]["busy"] == 4
    assert site["buttons"]["queue"] == "The galley is closed: 6 orders served, every cook has gone home."


def test_row_21_icons_and_manifest(site):
    widths = site["icons"]["widths"]
    assert widths["/favicon.ico"] == 32
    assert widths["/favicon.svg"] > 0
    assert widths["manifest"] == "galley"


def test_row_21_the_film_can_be_sought_in(site):
    film = site["video"]
    assert film["error"] is None
    assert (film["duration"], film["from"], film["width"]) == (20, 15, 640)
    parts = responses(film, "/video/steam.webm")
    assert {part["status"] for part in parts} == {206}
    starts = {int(part["headers"]["content-range"].split()[1].split("-")[0]) for part in parts}
    assert len(starts) > 1, "seeking must ask for another part of the file"
    assert " 206 GET /video/steam.webm" in site["log"]


def test_row_21_the_page_for_what_is_missing(site):
    missing = site["missing"]
    assert (missing["status"], missing["heading"]) == (404, "Not on the menu")
    assert missing["paper"] == site["home"]["paper"], "the style must be found from any depth"
    assert [text for text in missing["complaints"] if "404" not in text] == []


def test_row_21_a_folder_without_its_slash_is_redirected(site):
    redirect = site["redirect"]
    assert (redirect["first"], redirect["status"]) == (301, 200)
    assert redirect["end"].endswith("/guide/")
    assert redirect["heading"] == "What to try here"


def test_row_21_several_connections_at_once_and_each_kept(site):
    """Twelve requests, past the cache; browsers open at most six connections to a host."""
    at_once = site["atOnce"]
    for name, size in at_once["sizes"].items():
        assert size == (galley.ROOT / "examples/site" / name[1:].partition("?")[0]).stat().st_size
    on_wire = [response for response in at_once["responses"] if "?" in response["path"]]
    assert not any(response["isFromCache"] for response in on_wire)
    connections = {response["connection"] for response in on_wire}
    assert len(on_wire) == 12
    assert 2 <= len(connections) <= 6
    assert sum(response["isReused"] for response in on_wire) >= 6
    assert {response["protocol"] for response in on_wire} == {"http/1.1"}


def test_row_21_the_second_load_sends_nothing_twice(site):
    again = site["again"]
    assert again["statuses"] == [304] * len(again["statuses"]) and again["statuses"]
    assert again["styleLength"] == (galley.ROOT / "examples/site/style.css").stat().st_size
    assert " 304 GET / " in site["log"]


def test_row_21_pages_fit_into_narrow_windows(site):
    assert site["pictures"]["overflow"] == []
    assert len(list(site["folder"].glob("*.png"))) == 20


def test_row_21_one_tab_sleeps_and_the_other_goes_on(exercise):
    tabs = exercise["tabs"]
    assert tabs["headings"] == ["Hello!"] * 3
    assert tabs["wasWaiting"], "the quick tab must not wait for the slow one"
    assert tabs["slowHeading"] == "Hello!"
    assert (tabs["otherStatus"], tabs["otherHeading"]) == (404, "Oops!")
    assert tabs["icon"] == 404
    assert [text for text in tabs["complaints"] if "404" not in text] == []
