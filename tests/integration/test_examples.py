"""Each program of examples/ does what its first lines promise. The pages that need a browser are in
test_browser_examples.py; book has test_book_*.py."""

import json
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

import galley
import secure
from ways import only

FOLDERS = sorted(path.parent for path in galley.ROOT.glob("examples/*/*.c"))
HERE = "127.0.0.1:0"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_is_one_short_program_that_the_readme_names(folder):
    sources = list(folder.glob("*.c"))
    assert len(sources) == 1
    assert len(sources[0].read_text().splitlines()) < 150
    assert f"({folder.name}/{sources[0].name})" in (galley.ROOT / "examples/README.md").read_text()
    assert galley.built("examples", folder.name).exists()


def test_no_example_is_missing():
    names = "hello book hash_files fib upload json_api events chat proxy_pass middleware test_without_sockets embed_in_loop https"
    assert set(names.split()) <= {folder.name for folder in FOLDERS}


# ---- hello -----------------------------------------------------------------------------------------------------


def test_hello(example):
    server = example("hello", HERE)
    response = server.get("/")
    assert (response.status, response.body) == (200, b"Hello, World!\n")
    assert server.get("/x").status == 404


# ---- https -----------------------------------------------------------------------------------------------------

SITE = galley.ROOT / "examples/site"


def test_https_makes_a_certificate_and_says_which(example):
    server = example("https", SITE, HERE)
    server.wait_output(f"for localhost .*SHA-256 {secure.fingerprint(secure.shown(server))}")
    with secure.connect(server, trust=None) as client:
        assert client.get("/how").body == b"HTTP/1 over TLSv1.3\n"
        assert client.get("/").header("Strict-Transport-Security") is None


@pytest.mark.parametrize("link, spoken", [("tls", b"HTTP/1"), ("h2", b"HTTP/2")])
def test_https_with_files_serves_a_site_both_ways(example, papers, link, spoken):
    server = example("https", SITE, HERE, papers.cert, papers.key, dress=papers.dress(link))
    with server.connect() as client:
        assert client.get("/how").body == spoken + b" over TLSv1.3\n"
        for path in sorted(path for path in SITE.rglob("*") if path.suffix in (".html", ".js", ".webp", ".webm")):
            answer = client.get("/" + str(path.relative_to(SITE)))
            assert (answer.status, answer.body) == (200, path.read_bytes())
            assert answer.header("Strict-Transport-Security") == "max-age=31536000"
        lost = client.get("/nothing")
        assert lost.body == (SITE / "404.html").read_bytes()
        assert lost.header("Strict-Transport-Security") == "max-age=31536000"


def test_https_refuses_files_that_are_none(example, folder):
    server = example("https", SITE, HERE, "/nowhere.pem", "/nowhere.key", expect_exit=1, ready=False)
    server.wait_output("https: certificate /nowhere.pem: No such file or directory")
    assert server.wait() == 1


# ---- upload ----------------------------------------------------------------------------------------------------


def test_upload_puts_files_and_gives_them_back(example, folder):
    root = folder({"old.txt": "old"})
    server = example("upload", root, HERE)
    content = bytes(range(256)) * 40000  # 10 MB
    with server.connect() as client:
        response = client.get("/files/new.bin", method="PUT", body=content)
        assert response.status == 201 and response.header("Location") == "/files/new.bin"
        assert response.text == f"new.bin: {len(content)} bytes\n"
        assert client.get("/files/new.bin").body == content
        assert client.get("/files/old.txt", method="PUT", body=b"new").status == 201
        assert client.get("/files/old.txt").body == b"new"
        assert client.get("/files/empty", method="PUT").status == 201
    assert (root / "new.bin").read_bytes() == content
    assert sorted(path.name for path in root.iterdir()) == ["empty", "new.bin", "old.txt"]


def test_upload_leaves_nothing_of_a_file_that_did_not_come_whole(example, folder):
    root = folder({"page": "whole"})
    server = example("upload", root, HERE)
    with server.connect() as client:
        client.send(b"PUT /files/page HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf")
        time.sleep(0.2)
        assert (root / "page").read_text() == "whole"
    with server.connect() as client:
        client.send(b"PUT /files/page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz")
        assert client.read_response().status == 400
    assert server.get("/files/page").body == b"whole"
    assert [path.name for path in root.iterdir()] == ["page"]


@pytest.mark.parametrize("name", [".hidden", "..%2fpasswd", "%2e%2e", "a" * 300])
def test_upload_takes_no_names_that_lead_elsewhere(example, folder, name):
    root = folder({})
    server = example("upload", root, HERE)
    with server.connect() as client:
        assert client.get(f"/files/{name}", method="PUT", body=b"x").status in (400, 404, 405, 500)
    assert list(root.iterdir()) == []


# ---- json_api --------------------------------------------------------------------------------------------------


@pytest.fixture
def notes(example, tmp_path):
    server = example("json_api", tmp_path / "notes.db", HERE)
    with server.connect() as client:
        yield client


def post(client, text, kind="application/json"):
    return client.get("/notes", method="POST", body=text.encode(), headers=[("Content-Type", kind)])


def test_json_api_creates_lists_fetches_and_deletes(notes):
    assert json.loads(notes.get("/notes").body) == []
    made = post(notes, '{"text": "buy \\"fish\\" \\u00e4"}')
    assert made.status == 201 and made.header("Content-Type") == "application/json"
    note = json.loads(made.body)
    assert note["text"] == 'buy "fish" ä' and made.header("Location") == f"/notes/{note['id']}"
    assert json.loads(notes.get(made.header("Location")).body) == note
    post(notes, '{"text": "sleep"}')
    assert [each["text"] for each in json.loads(notes.get("/notes?search=lee").body)] == ["sleep"]
    assert len(json.loads(notes.get("/notes").body)) == 2
    assert notes.get(made.header("Location"), method="DELETE").status == 200
    assert notes.get(made.header("Location")).status == 404


@pytest.mark.parametrize(
    "body, kind, status",
    [
        ("{}", "application/json", 422),
        ('{"text": 7}', "application/json", 422),
        ("not json", "application/json", 422),
        ("", "application/json", 422),
        ('{"text": "x"}', "text/plain", 415),
    ],
)
def test_json_api_tells_what_is_wrong(notes, body, kind, status):
    response = post(notes, body, kind)
    assert response.status == status and response.header("Content-Type") == "application/problem+json"
    problem = json.loads(response.body)
    assert problem["status"] == status and problem["title"] and problem["detail"]
    assert json.loads(notes.get("/notes").body) == []


@pytest.mark.parametrize("target", ["/notes/0", "/notes/1%20OR%201=1", "/notes/01", "/notes/x"])
def test_json_api_knows_no_other_notes(notes, target):
    post(notes, '{"text": "only"}')
    response = notes.get(target)
    assert response.status == 404 and json.loads(response.body)["title"] == "Not Found"
    assert notes.get("/notes/1", method="PATCH").status == 405


# ---- events ----------------------------------------------------------------------------------------------------


def read_events(client, number):
    """The next so many events of a chunked text/event-stream, each {"event": ..., "data": ...}."""
    text = b""
    while text.count(b"\n\n") < number:
        size = int(client._read_to(b"\r\n", 100), 16)
        text += client.read_bytes(size)
        client.read_bytes(2)
    return [dict(re.findall(r"(\w+): (.*)", event)) for event in text.decode().split("\n\n")[:number]]


def test_events_ticks_for_every_watcher(example):
    server = example("events", HERE)
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.send(galley.request_bytes("/events"))
        head = client.read_head()
        assert head.status == 200 and head.header("Content-Type") == "text/event-stream"
        assert head.header("Cache-Control") == "no-store"
    for client in clients:
        hello, tick = read_events(client, 2)
        assert hello["event"] == "hello"
        assert tick["event"] == "tick" and re.fullmatch(r"\d\d:\d\d:\d\d", tick["data"])
        client.close()
    assert b"EventSource" in server.get("/").body


def test_events_ends_promptly_while_somebody_watches(example):
    server = example("events", HERE)
    with server.connect() as client:
        client.send(galley.request_bytes("/events"))
        client.read_head()
        server.stop()
        assert b"\r\n0\r\n\r\n" in client.read_until_close()


# ---- chat ------------------------------------------------------------------------------------------------------


def test_chat_tells_all_what_one_says(example):
    websocket = pytest.importorskip("websocket")  # python3-websocket
    server = example("chat", galley.ROOT / "examples/chat", HERE)
    url = f"ws://127.0.0.1:{server.port}/chat"
    first = websocket.create_connection(url, timeout=10 * galley.SLOW)
    assert first.recv() == "* 1 in the room"
    second = websocket.create_connection(url, timeout=10 * galley.SLOW)
    assert second.recv() == first.recv() == "* 2 in the room"
    first.send("ahoy ⚓")
    assert first.recv() == second.recv() == "ahoy ⚓"
    second.close()
    assert first.recv() == "* 1 in the room"
    first.send_binary(b"\0")
    opcode, frame = first.recv_data(control_frame=True)
    assert opcode == 8 and int.from_bytes(frame[:2], "big") == 1003
    first.close()
    assert b"new WebSocket" in server.get("/").body


def test_chat_refuses_pages_of_other_sites(example):
    websocket = pytest.importorskip("websocket")
    server = example("chat", galley.ROOT / "examples/chat", HERE)
    with pytest.raises(websocket.WebSocketBadStatusException) as failure:
        websocket.create_connection(f"ws://127.0.0.1:{server.port}/chat", origin="http://evil.example")
    assert failure.value.status_code == 403


# ---- proxy_pass ------------------------------------------------------------------------------------------------


@only("plain", because="the example fetches over http")
def test_proxy_pass_fetches(example, serve, folder):
    content = bytes(range(256)) * 8000  # 2 MB
    upstream = serve(root=folder({"a b.html": "<p>", "large.bin": content}))
    server = example("proxy_pass", f"http://127.0.0.1:{upstream.port}", HERE)
    page = server.get("/fetch/a%20b.html")
    assert (page.status, page.body, page.header("Content-Type")) == (200, b"<p>", "text/html; charset=utf-8")
    assert server.get("/fetch/large.bin").body == content
    assert server.get("/fetch/nothing").status == 404


def test_proxy_pass_says_when_nobody_is_there(example):
    with socket.socket() as taken:  # bound, so that nobody else gets the port; not listening
        taken.bind(("127.0.0.1", 0))
        server = example("proxy_pass", f"http://127.0.0.1:{taken.getsockname()[1]}", HERE)
        assert server.get("/fetch/x").status == 502


def test_proxy_pass_keeps_more_fetches_open_than_it_has_workers(example, program_that_waits):
    slow, release = program_that_waits
    server = example("proxy_pass", f"http://127.0.0.1:{slow}", HERE)
    clients = [server.connect(timeout=30) for _ in range(12)]
    for client in clients:
        client.send(galley.request_bytes("/fetch/x"))
    assert server.get("/nothing").status == 404  # nobody else waits
    release.set()
    assert {client.read_response().body for client in clients} == {b"late"}


@pytest.fixture
def program_that_waits():
    """A server that answers all its clients when the event is set -> (port, event)."""
    import http.server

    release = threading.Event()

    class Late(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            release.wait(30)
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"late")

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, release
    release.set()
    server.shutdown()
    thread.join()
    server.server_close()


# ---- middleware ------------------------------------------------------------------------------------------------


def test_middleware_guards_and_measures(example):
    server = example("middleware", "secret", HERE)
    with server.connect() as client:
        hello = client.get("/")
        assert hello.status == 200 and re.fullmatch(r"handler;dur=\d+\.\d{3}", hello.header("Server-Timing"))
        for target in ("/admin", "/admin/x", "/%61dmin", "/x/../admin", "/admin/"):
            refused = client.get(target)
            assert refused.status in (401, 404), target
            assert b"keeper" not in refused.body
        refused = client.get("/admin")
        assert refused.status == 401 and refused.header("WWW-Authenticate") == "Bearer"
        assert refused.header("Server-Timing")
        for token in ("Bearer secrex", "Bearer secre", "Bearer secrets", "Basic secret", "Bearer"):
            assert client.get("/admin", headers=[("Authorization", token)]).status == 401
        let_in = client.get("/admin/x", headers=[("Authorization", "Bearer secret")])
        assert (let_in.status, let_in.body) == (200, b"Hello, the keeper of the token.\n")


# ---- embed_in_loop ---------------------------------------------------------------------------------------------


def test_embed_in_loop_answers_from_the_programs_own_loop(example):
    server = example("embed_in_loop", HERE)

    def ticks():
        response = server.get("/count")
        assert response.status == 200
        return int(response.text.removesuffix(" ticks\n"))

    first = ticks()
    galley.wait_until(lambda: ticks() > first, 10, "the program's own timer goes on")


# ---- programs that end by themselves ---------------------------------------------------------------------------


def run(name, *arguments):
    command = [galley.built("examples", name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60 * galley.SLOW, stdin=subprocess.DEVNULL)


def test_fib_agrees_with_itself():
    done = run("fib", 20)
    assert done.returncode == 0 and done.stdout.count("6765") >= 2, done


def test_without_sockets_passes():
    done = run("test_without_sockets")
    assert done.returncode == 0, done


def test_hash_files(folder):
    root = folder({"a": "foobar", "b": ""})
    done = run("hash_files", root / "a", root / "b", root / "c")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["85944171f73967e8", str(root / "a")]  # FNV-1a's own test vector
    assert lines[1].split() == ["cbf29ce484222325", str(root / "b")]
    assert str(root / "c") in lines[2] or str(root / "c") in done.stderr
