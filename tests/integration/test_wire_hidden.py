"""What must stay hidden or harmless: trailers, NUL, encoded slashes, redirects that lead away, line ends in values and
logs. L8, L12, L13, L18, L19."""

import json
import re

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

import galley  # noqa: E402
import lab  # noqa: E402
from ways import only  # noqa: E402

QUICK = dict(deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck))


MALFORMED = only("http1", because="malformed in HTTP/2, RFC 9113 §8.2.2")


@pytest.mark.parametrize("name", ["Host", "Content-Length", "X-Forwarded-For",
                                  pytest.param("Connection", marks=MALFORMED),
                                  pytest.param("Transfer-Encoding", marks=MALFORMED), "X-Ok"])
def test_a_trailer_is_never_a_header(program, name):
    """L8, RFC 9110 §6.5.1: whatever comes behind the body is not merged into the head."""
    server = program("lab_server")
    with server.connect() as client:
        client.send(
            b"POST /fields HTTP/1.1\r\nHost: head.test\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n" + name.encode() + b": 6.6.6.6\r\n\r\n"
        )
        answer = client.read_response()
        assert answer.status == 200 and "6.6.6.6" not in answer.text
        assert "body: 3\n" in answer.text and "host: head.test\n" in answer.text.lower() and "probe: -\n" in answer.text
        assert client.get("/").status == 200, "the connection goes on behind the trailers"


@pytest.mark.parametrize("target", ["/a.txt%00.html", "/%00", "/a.txt%00", "/x/%00/../a.txt", "/a.txt?x=1%00", "/files%00/"])
def test_a_nul_in_a_path_is_refused_and_opens_nothing(serve, folder, target):
    """L12: `a.txt%00.html` is not a.txt. In the query it is only text."""
    server = serve(root=folder({"a.txt": "secret"}))
    answer = server.get(target)
    if "?" in target:
        assert answer.status == 200
    else:
        assert answer.status == 400 and b"secret" not in answer.body


@pytest.mark.parametrize("target", ["/dir%2Fa.txt", "/dir%2fa.txt", "/..%2fa.txt", "/dir%5Ca.txt", "/dir\\a.txt",
                                    "/%2e%2e%2fa.txt", "/dir%252fa.txt", "/dir/%2e%2e%2f%2e%2e%2fa.txt"])
def test_an_encoded_slash_or_a_backslash_separates_nothing(serve, folder, target):
    """L13: decoded once, and %2F stays what it is."""
    server = serve(root=folder({"dir/a.txt": "inside", "a.txt": "top"}))
    assert server.get(target).status in (400, 404)


@pytest.mark.parametrize("target", ["/../a.txt", "/dir/../../a.txt", "/%2e%2e/a.txt", "/dir/%2E%2e/.%2e/a.txt", "/..",
                                    "/./../a.txt"])
def test_a_path_that_climbs_over_the_root_is_400(serve, folder, target):
    """L10, L13, RFC 3986 §5.2.4."""
    server = serve(root=folder({"dir/a.txt": "inside", "a.txt": "top"}))
    assert server.get(target).status == 400


def encode_again(path, choices):
    """The same path, some of its characters percent-encoded; a slash stays a slash."""
    out = ""
    for char, choice in zip(path, choices):
        out += char if char == "/" or not choice else ("%%%02x" if choice == 1 else "%%%02X") % ord(char)
    return out


def test_every_spelling_of_a_path_is_the_same_path(program, folder):
    """L13: router, opener and handler see one normalized form, whichever way it was encoded."""
    path = "/a/b~c/d.e_f-1.txt"
    server = program("lab_server", f"root={folder({path[1:]: 'the file'})}")
    with server.connect() as client:

        @settings(max_examples=300, **QUICK)
        @given(st.lists(st.sampled_from([0, 0, 1, 2]), min_size=len(path), max_size=len(path)))
        def check(choices):
            spelled = encode_again(path, choices)
            assert client.get("/path" + spelled).text == "/path" + path
            assert client.get("/files" + spelled).text == "the file"

        check()


@pytest.mark.parametrize("target", ["//evil.test/..%2f", "//evil.test", "//evil.test/", "//evil.test/%2e%2e", "///dir",
                                    "//dir", "/dir", "/%2fdir", "/dir//", "//evil.test//dir", "/.//dir", "/\\evil.test",
                                    "/dir/..//evil.test", "//dir?to=//evil.test", "/dir%0d%0aX-Evil:1",
                                    pytest.param("http://x/dir", marks=only("http1", because="the absolute form")),
                                    "/%5cevil.test", "/dir%3f", "/dir%23x"])
def test_a_redirect_never_leads_away(serve, folder, target):
    """L18: Location is a path with one leading slash, whatever the target looked like. RFC 9110 §10.2.2."""
    names = ["dir/index.html", "evil.test/index.html", "evil.test/dir/index.html", "dir\r\nX-Evil:1/index.html", "\\evil.test/index.html",
             "dir?/index.html", "dir#x/index.html"]
    server = serve(root=folder({name: "page" for name in names}))
    answer = server.get(target)
    assert not answer.all("X-Evil")
    for location in answer.all("Location"):
        assert re.fullmatch(r"/(?![/\\])[!-~]*", location), location
        assert "\\" not in location
    if answer.status in (301, 308):
        assert server.get(answer.header("Location")).body == b"page"


def test_a_target_of_64_kib_is_refused(serve, folder):
    """L18: no arithmetic on long targets, on redirects least of all."""
    server = serve(root=folder({"dir/index.html": "page"}))
    for target in ("/" + "a" * 65536, "/dir" + "/." * 32768, "/" * 65536, "/" + "%41" * 21000, "/?" + "q" * 65536):
        with server.connect() as client:
            lab.send_what_it_takes(client, galley.request_bytes(target))
            answer = client.read_response()
            assert answer.status in (414, 431)
            client.expect_end_after(answer)
    deep = "/dir" + "/." * 4000  # within the limit
    assert server.get(deep).status in (200, 301)
    assert server.get("/" + "x/../" * 1600).status in (200, 404)


@pytest.mark.parametrize("value", [b"a\r\nX-Evil: 1", b"a\nX-Evil: 1", b"a\rb", b"\x01", b"a\x7fb", b"\r\n\r\nHTTP/1.1 200 OK"])
def test_a_handler_cannot_set_a_value_with_line_ends(program, value):
    """L19, RFC 9110 §5.5."""
    answer = program("lab_server").get("/header", method="POST", body=value)
    assert answer.text == "refused\n" and not answer.all("X-Value") and not answer.all("X-Evil")


def test_a_handler_can_set_an_ordinary_value(program):
    answer = program("lab_server").get("/header", method="POST", body=b"plain \tvalue")
    assert answer.text == "taken\n" and answer.header("X-Value") == "plain \tvalue"


@pytest.mark.parametrize("form", ["dev", "combined", "json"])
def test_no_control_byte_of_a_client_reaches_the_log(serve, folder, tmp_path, form, way):
    """L19: what a client writes is escaped: one request, one line, and no escape sequence for a terminal."""
    log = tmp_path / "access.log"
    server = serve(f"--access-log={log}", f"--log-format={form}", root=folder({"a.txt": "text"}))
    evil = {"User-Agent": 'x"\t\x80\xff\\ \xc2\x9b31m"', "Referer": "http://a/\t\"\xff"}
    assert server.get("/a.txt?%0d%0aforged%1b[31m", headers=evil).status == 200
    assert server.get("/%0d%0a%1b[31mforged", headers=evil).status == 404
    if way != "h2":  # which python3-h2 does not take
        server.exchange(b"GET /a.txt HTTP/1.1\r\nHost: \x1b[31m\r\n\r\n")
    server.stop()
    text = log.read_bytes()
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f-\xff]", text.replace(b"\x1b[0m", b"")) or form == "dev", text
    assert b"\x1b[31m" not in text and b"\xff" not in text and b"\x9b" not in text
    assert text.count(b"\n") == len([line for line in text.split(b"\n") if b"forged" in line or b"a.txt" in line or b"400" in line])


def test_names_with_line_ends_do_not_break_a_listing(serve, folder):
    """L19: a listing shows odd file names as text, in HTML and in JSON."""
    names = {"a\nb.txt": "1", "<script>alert(1).txt": "2", 'q"uote.txt': "3", "per%cent.txt": "4", "\xff.txt": "5"}
    server = serve("--list", root=folder(names))
    page = server.get("/", headers={"Accept": "text/html"})
    assert page.status == 200 and b"<script>alert" not in page.body
    data = server.get("/", headers={"Accept": "application/json"})
    assert data.header("Content-Type").startswith("application/json")
    json.loads(data.body)
    links = re.findall(r'href="([^"]*)"', page.body.decode("utf-8", "replace"))
    bodies = {server.get("/" + link.lstrip("./")).body for link in links if link not in ("../", "./", "/")}
    assert {b"1", b"2", b"3", b"4", b"5"} <= bodies


def test_dotfiles_and_backups_do_not_exist(serve, folder):
    names = [".env", ".git/config", "page.html~", "old.bak", ".a.swp", "x.orig", ".well-known/security.txt"]
    server = serve(root=folder({name: "content" for name in names}))
    assert [server.get("/" + name).status for name in names] == [404] * 6 + [200]
    assert server.get("/%2egit/config").status == 404
    assert server.get("/.git").status == 404
