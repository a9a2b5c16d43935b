"""What clients are told ahead: links with files and before them (103, RFC 8297), and alternative services (RFC 7838).
Each test says itself over what it goes."""

import re

import pytest

import browser
import galley
import h2_client
import secure
from lab import about

STYLE = "</app.css>; rel=preload; as=style"
SCRIPT = "</app.js>; rel=preload; as=script"
LINKS = (f"--link=*.html={STYLE}", f"--link=/guide/*={SCRIPT}")
SITE = {"index.html": "home", "guide/index.html": "guide", "a.txt": "text"}
CLOSE = "Host: a\r\nConnection: close\r\n\r\n"


def plain(server, path):
    """All bytes that an HTTP/1.1 client gets for one request."""
    return server.exchange(f"GET {path} HTTP/1.1\r\n{CLOSE}".encode()).decode()


@about("link")
def test_files_have_the_links_of_all_patterns_that_match(serve, folder):
    server = serve(*LINKS, root=folder(SITE))
    assert re.findall(r"(?m)^Link: (.*)\r$", plain(server, "/")) == [STYLE]
    assert re.findall(r"(?m)^Link: (.*)\r$", plain(server, "/guide/")) == [STYLE, SCRIPT]
    assert "Link:" not in plain(server, "/a.txt")


@pytest.mark.parametrize("link", ["*.html=/app.css", "*.html=</app.css", "*.html=<a>\r\nX: y", "=<a>", "*.html"])
def test_what_is_no_link_is_refused_at_the_start(run, folder, link):
    """RFC 8288 §3; L19: nothing that splits a response gets into one."""
    done = run("--listen=127.0.0.1:0", f"--link={link}", folder(SITE))
    assert done.returncode == 1 and done.stderr.startswith("galley: static options: link '"), done.stderr
    assert done.stderr.count("\n") == 1


@about("early-hints")
@pytest.mark.parametrize("choice, over_http1, over_http2", [(None, 0, 1), ("h2", 0, 1), ("all", 1, 1), ("off", 0, 0)])
def test_links_go_ahead_of_files_that_have_to_be_read(serve, folder, choice, over_http1, over_http2):
    """RFC 8297 §2, §3: HTTP/1.1 only where that is asked for. What is in memory by then has none."""
    server = serve(*LINKS, *([f"--early-hints={choice}"] if choice else []), root=folder(SITE))
    answer = plain(server, "/")
    assert answer.startswith("HTTP/1.1 103 Early Hints\r\n") == bool(over_http1)
    assert answer.count("HTTP/1.1 103 ") == over_http1 and answer.count("HTTP/1.1 200 ") == 1
    assert answer.endswith("\r\n\r\nhome")
    with h2_client.connect(server) as client:
        answer = client.get("/guide/")
        assert [dict(head)[":status"] for head in answer.interim] == ["103"] * over_http2
        assert all([value for name, value in head if name == "link"] == [STYLE, SCRIPT] for head in answer.interim)
        assert answer.status == 200 and answer.body == b"guide"
        assert [value for name, value in answer.headers if name == "link"] == [STYLE, SCRIPT]
        assert client.get("/a.txt").interim == []
        again = client.get("/guide/")
        assert again.status == 200 and again.interim == []


@about("alt-svc")
def test_where_else_the_site_can_be_had_is_said_over_tls_only(serve, folder):
    """RFC 7838 §3; §2.1: elsewhere a client has no proof."""
    value = 'h3=":443"; ma=60, x-new="other.example:1"'
    server = serve("--listen=127.0.0.1:0", "--listen=127.0.0.1:0,tls", "--tls-self-signed", f"--alt-svc={value}",
                   root=folder(SITE))
    port = int(re.search(r"https://127\.0\.0\.1:(\d+)/", server.stdout)[1])
    assert "Alt-Svc" not in plain(server, "/")
    with secure.wrapped(("127.0.0.1", port)) as sock:
        assert galley.Client.of(sock).get("/").header("Alt-Svc") == value
    with secure.wrapped(("127.0.0.1", port), alpn=("h2",)) as sock:
        assert h2_client.Http2Client(sock).get("/").get("alt-svc") == value


@pytest.mark.parametrize("value", ["", "h3=:443", 'h3=":443";', "Clear", 'h3=":443"\r\nX: y'])
def test_what_is_no_alternative_service_is_refused_at_the_start(run, folder, value):
    done = run("--listen=127.0.0.1:0", f"--alt-svc={value}", folder(SITE))
    assert done.returncode == 1 and done.stderr.startswith("galley: Alt-Svc: '"), done.stderr
    assert done.stderr.count("\n") == 1
    done = run("--doctor", "--listen=127.0.0.1:0", f"--alt-svc={value}", folder(SITE))
    assert done.returncode == 1 and "\n  Alt-Svc: '" in done.stdout


@pytest.mark.browser
@pytest.mark.once
@pytest.mark.xdist_group("browser")
def test_a_browser_takes_hints_for_what_they_are(serve, folder, tmp_path):
    browser.node(), browser.chromium()
    page = '<!doctype html><link rel="icon" href="data:,"><link rel="stylesheet" href="/app.css"><h1>here</h1>'
    site = {"index.html": page, "app.css": "body { color: rgb(1, 2, 3) }"}
    server = serve("--listen=127.0.0.1:0,tls", "--tls-self-signed", f"--link=*.html={STYLE}", root=folder(site))
    facts = browser.visit("visit_hints.mjs", f"https://localhost:{server.port}/", tmp_path)["load"]
    assert facts["status"] == 200 and facts["colour"] == "rgb(1, 2, 3)"
    assert facts["hints"] == [{"link": STYLE}]
    assert [line for line in facts["complaints"] if "preload" not in line] == []
