"""Connections of a proxy that says for whom it speaks, with and without TLS, over HTTP/1.1 and HTTP/2."""

import struct

import pytest

import galley
import secure
from lab import about

SITE = {"index.html": "home"}
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
BYTES = b"\r\n\r\n\0\r\nQUIT\n\x21\x21" + struct.pack("!H", 36) + b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\x07" + b"\0" * 15 \
    + b"\x01" + struct.pack("!HH", 50000, 443)


@pytest.mark.parametrize("header, client", [(LINE, "192.0.2.7"), (BYTES, "2001:db8::7"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")])
@about("proxy-from")
def test_the_log_shows_whom_the_proxy_names(serve, folder, tmp_path, header, client):
    log = tmp_path / "log"
    server = serve("--listen=127.0.0.1:0", "--listen=127.0.0.1:0,tls", "--tls-self-signed", "--proxy-from=127.0.0.0/8",
                   "--proxy-from=::1", f"--access-log={log}", "--log-format=combined", root=folder(SITE))
    port = int(galley.re.search(r"https://127\.0\.0\.1:(\d+)/", server.stdout)[1])
    with server.connect() as plain:
        plain.send(header)
        assert plain.get("/?plain").text == "home"
    with galley.Client(("127.0.0.1", port)) as raw:
        raw.send(header)
        with secure.context().wrap_socket(raw.socket, server_hostname="localhost") as sock:
            assert galley.Client.of(sock).get("/?tls").text == "home"
    galley.wait_until(lambda: log.read_text().count("\n") == 2, what="two lines")
    lines = sorted(log.read_text().splitlines(), key=lambda line: "?tls" in line)
    assert [line.split()[0] for line in lines] == [client, client]


def test_a_proxy_must_say_it_and_nobody_else_may(serve, folder):
    server = serve("--proxy-from=127.0.0.1", root=folder(SITE))
    assert server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    server = serve("--proxy-from=10.0.0.0/8", root=folder(SITE))
    assert server.get("/").text == "home"
    assert server.exchange(LINE + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_network_that_is_none_is_refused(run, folder):
    done = run("--listen=127.0.0.1:0", "--proxy-from=10.0.0.1/8", folder(SITE))
    assert done.returncode == 1 and 'network "10.0.0.1/8"' in done.stderr
