"""HTTP proxies that say for whom they ask: in the log and for redirections, over all ways, and with nginx in front."""

import json
import os
import shutil
import socket
import subprocess

import pytest

import galley
from lab import about

SITE = {"index.html": "home"}
PLAIN = "--listen=127.0.0.1:0"
LOCAL = "--forwarded-from=127.0.0.0/8"


def lines_of(log, count):
    galley.wait_until(lambda: log.exists() and log.read_text().count("\n") == count, what=f"{count} lines")
    return log.read_text().splitlines()


@pytest.fixture
def logged(serve, folder, tmp_path):
    """logged("--forwarded-from=..", ...) -> (server, its log)"""

    def start(*options, style="combined"):
        log = tmp_path / "log"
        return serve(*options, f"--access-log={log}", f"--log-format={style}", root=folder(SITE)), log

    return start


def clients(logged, options, asked):
    """Who asked, by the log, for each of these lists of headers on one connection."""
    server, log = logged(PLAIN, *options)
    with server.connect() as client:
        for headers in asked:
            assert client.get("/", headers).text == "home"
    return [line.split()[0] for line in lines_of(log, len(asked))]


def x_for(*values):
    return [("X-Forwarded-For", value) for value in values]


def forwarded(*values):
    return [("Forwarded", value) for value in values]


@about("forwarded-from")
def test_the_log_shows_for_whom_a_proxy_asks(logged):
    assert clients(logged, [LOCAL, "--forwarded-from=10.0.0.0/8"], [
        x_for("192.0.2.7"),
        x_for("2001:DB8::7"),
        x_for("127.0.0.1, 192.0.2.7"),  # what stands on the left was invented by 192.0.2.7
        x_for("8.8.8.8", "192.0.2.7", "10.0.0.1"),
        x_for("192.0.2.7, 10.0.0.2, 10.0.0.1"),
        x_for("10.0.0.2, 10.0.0.1"),
        x_for("no address"),
        [],
        forwarded("for=192.0.2.7"),
    ]) == ["192.0.2.7", "2001:db8::7", "192.0.2.7", "192.0.2.7", "192.0.2.7", "10.0.0.2", "unknown", "127.0.0.1", "127.0.0.1"]


@about("forwarded-header")
def test_one_family_of_headers_is_believed(logged):
    assert clients(logged, [LOCAL, "--forwarded-header=forwarded"], [
        forwarded('for="[2001:db8::7]:4711";proto=https'),
        forwarded("for=127.0.0.1", "for=192.0.2.7"),
        forwarded('for="10.0.0.1, for=192.0.2.7'),  # an open quote does not swallow what a proxy adds
        forwarded("for=_hidden"),
        forwarded("for=192.0.2.7;for=127.0.0.1"),
        x_for("192.0.2.9"),
    ]) == ["2001:db8::7", "192.0.2.7", "192.0.2.7", "_hidden", "unknown", "127.0.0.1"]


@pytest.mark.parametrize("options", [[], ["--forwarded-from=10.0.0.0/8"], ["--forwarded-from=unix"]])
def test_nobody_else_is_believed(logged, options):
    assert clients(logged, options, [x_for("10.0.0.1"), forwarded("for=10.0.0.1")]) == ["127.0.0.1", "127.0.0.1"]


def test_json_has_both_ends(logged):
    server, log = logged(PLAIN, LOCAL, style="json")
    with server.connect() as client:
        for headers in (x_for("192.0.2.7"), [("X-Forwarded-Proto", "https")]):
            assert client.get("/", headers).text == "home"
    through, direct = (json.loads(line) for line in lines_of(log, 2))
    assert (through["peer"], through["client"]) == ("127.0.0.1", "192.0.2.7")
    assert direct["peer"] == "127.0.0.1" and "client" not in direct


@pytest.mark.parametrize("spoken", ["tls", "h2"])
def test_proxies_may_come_by_tls_and_http2(logged, papers, spoken):
    server, log = logged("--listen=127.0.0.1:0,tls", f"--tls-cert={papers.cert}", f"--tls-key={papers.key}", LOCAL,
                         "--redirect-to-https", "--hsts")
    server.dress = papers.dress(spoken)
    with server.connect() as client:
        answer = client.get("/", x_for("192.0.2.7"))
        assert answer.text == "home" and answer.header("Strict-Transport-Security")
        # The proxy says that its client came without TLS: galley's own connection does not count, nor does its port.
        sent = client.get("/a", [*x_for("192.0.2.8"), ("X-Forwarded-Proto", "http")])
        assert sent.status == 308 and sent.header("Location").startswith("https://")
        assert ":" not in sent.header("Location").removeprefix("https://")
    assert [line.split()[0] for line in lines_of(log, 2)] == ["192.0.2.7", "192.0.2.8"]


def test_who_came_to_the_proxy_by_https_is_not_sent_there_again(serve, folder):
    server = serve(PLAIN, LOCAL, "--redirect-to-https", "--hsts", root=folder(SITE))
    secure, plain = ("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")
    answer = server.get("/", [*x_for("192.0.2.7"), secure])
    assert answer.text == "home" and answer.header("Strict-Transport-Security")
    for headers in (x_for("192.0.2.7"), [*x_for("192.0.2.7"), plain], [plain, secure]):
        answer = server.get("/a", [("Host", "galley.test"), ("X-Forwarded-Host", "evil.test"), *headers])
        assert answer.status == 308 and answer.header("Location") == "https://galley.test/a"
        assert answer.header("Strict-Transport-Security") is None


def test_a_client_cannot_say_that_it_has_tls(serve, folder):
    server = serve(PLAIN, "--forwarded-from=10.0.0.1", "--redirect-to-https", root=folder(SITE))
    assert server.get("/", [("X-Forwarded-Proto", "https")]).status == 308


@pytest.mark.parametrize("named, client", [("10.0.0.1", "192.0.2.7"), ("203.0.113.9", "203.0.113.9")])
def test_the_walk_begins_with_whom_the_proxy_protocol_names(logged, named, client):
    server, log = logged(PLAIN, "--proxy-from=127.0.0.1", "--forwarded-from=10.0.0.0/8")
    with server.connect() as connection:
        connection.send(f"PROXY TCP4 {named} 198.51.100.1 56324 80\r\n".encode())
        assert connection.get("/", x_for("192.0.2.7")).text == "home"
    assert [line.split()[0] for line in lines_of(log, 1)] == [client]


def test_who_comes_by_a_unix_socket_may_be_a_proxy(logged, tmp_path):
    path = os.path.relpath(tmp_path / "s")  # short: it must fit into an address
    server, log = logged(PLAIN, f"--listen=unix:{path}", "--forwarded-from=unix")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        assert galley.Client.of(sock).get("/", x_for("192.0.2.7")).text == "home"
    assert server.get("/", x_for("192.0.2.8")).text == "home"
    assert {line.split()[0] for line in lines_of(log, 2)} == {"192.0.2.7", "127.0.0.1"}


def test_mistakes_are_told(run, folder):
    for options, sentence in ((["--forwarded-from=10.0.0.1/8"], 'network "10.0.0.1/8"'),
                              (["--forwarded-from=::1", "--forwarded-header=both"], "--forwarded-header")):
        done = run(PLAIN, *options, folder())
        assert done.returncode != 0 and sentence in done.stderr, done.stderr


# ---- a real proxy

NGINX = """
daemon off;
worker_processes 1;
error_log stderr;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{backend};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Forwarded "$http_forwarded, for=$remote_addr;proto=$scheme";
        }}
    }}
}}
"""


@pytest.fixture
def nginx(tmp_path):
    """nginx(server) -> the address of an nginx in front of it. Its socket is made here, so that its port is free."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        pytest.skip("nginx is not installed")
    running = []

    def start(server):
        listener = socket.create_server(("127.0.0.1", 0))
        config = tmp_path / "nginx.conf"
        address = listener.getsockname()
        config.write_text(NGINX.format(folder=tmp_path, port=address[1], backend=f"{server.host}:{server.port}"))
        with open(tmp_path / "nginx.err", "wb") as err:
            running.append(subprocess.Popen(
                [program, "-p", tmp_path, "-c", config, "-e", "stderr"], stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                env={**os.environ, "NGINX": f"{listener.fileno()};"}, pass_fds=[listener.fileno()]))
        listener.close()
        return address

    yield start
    for process in running:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("header", ["x-forwarded", "forwarded"])
def test_nginx_in_front_tells_who_came(logged, nginx, header):
    server, log = logged(PLAIN, "--forwarded-from=127.0.0.1", f"--forwarded-header={header}", style="json")
    address = nginx(server)
    # 127.0.0.2 is a client, for which only nginx, at 127.0.0.1, can speak.
    with socket.create_connection(address, 10 * galley.SLOW, source_address=("127.0.0.2", 0)) as sock:
        client = galley.Client.of(sock)
        for headers in ([], x_for("127.0.0.1"), forwarded("for=10.0.0.1"), forwarded('for="10.0.0.1')):
            assert client.get("/", headers).text == "home"
    assert [json.loads(line)["client"] for line in lines_of(log, 4)] == ["127.0.0.2"] * 4
