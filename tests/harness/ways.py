"""The ways in which the whole-server tests talk to a server, all from one set of tests:

    http   HTTP/1.1
    tls    HTTP/1.1 over TLS 1.3, see tls_socket.py
    h2     HTTP/2 over TLS, by a translator of what the tests send and expect, see h2_socket.py

A test that asks for the fixture `serve` or `program` runs once for each way, named test_x[h2]. One that is about
something that a way does not have says so, and why:

    @only("http1", because="chunks are HTTP/1's")        http and tls
    @only("plain", because="it is about listeners")      http

`pytest tests/integration --ways` lists what is left out, with the reasons; tests/tools/test_ways.py counts it.

Environment:
    GALLEY_TEST_WAY   http, tls or h2: only this one. Else all of them; with a sanitizer or with GALLEY_TEST_IO, tls and
                      h2 are left to the files marked `core`
"""

import ssl

import pytest

import secure
from tls_socket import TlsSocket, strict

WAYS = ("http", "tls", "h2")
ONLY = {"http1": ("http", "tls"), "plain": ("http",)}
NAME = "galley.test"

# Files in which every test makes its own connections, over what it is about.
OWN_WAYS = {
    "test_bench_load.py": "the bench has clients of its own",
    "test_browser.py": "browsers have their own ways",
    "test_browser_https.py": "browsers have their own ways",
    "test_forwarded.py": "it says itself over what it goes",
    "test_h2_plain.py": "HTTP/2 without TLS, and its frames",
    "test_hints.py": "it says itself over what it goes",
    "test_proxy_protocol.py": "it goes over all ways in each test",
    "test_tls.py": "TLS itself",
    "test_tls_http2.py": "ALPN, and the frames of HTTP/2",
}


def only(what, *, because):
    """Marks a test, a whole file (pytestmark) or a parameter (pytest.param(..., marks=...))."""
    assert what in ONLY and len(because.split()) > 1
    return pytest.mark.only(what, because=because)


def exclusions(marks, path):
    """[(ways, reason), ...]: what narrows a test down."""
    own = [(("http",), OWN_WAYS[path.name])] if path.name in OWN_WAYS else []
    return own + [(ONLY[mark.args[0]], mark.kwargs["because"]) for mark in marks if mark.name == "only"]


def ways_of(marks, path):
    narrowed = exclusions(marks, path)
    return [way for way in WAYS if all(way in ways for ways, _ in narrowed)]


class Papers:
    """A certificate for all servers of a session, and what clients need to trust it."""

    def __init__(self, folder):
        authority = secure.Authority(folder)
        self.cert, self.key = authority.issue(NAME)
        self.contexts = {
            "tls": strict(secure.context(trust=authority.cert, alpn=("http/1.1",))),
            "h2": strict(secure.context(trust=authority.cert, alpn=("h2",))),
        }
        for context in self.contexts.values():
            context.minimum_version = ssl.TLSVersion.TLSv1_3

    def dress(self, way):
        """What makes, of a socket that is connected, one that speaks this way."""
        return None if way == "http" else lambda raw: self._dressed(raw, way)

    def _dressed(self, raw, way):
        sock = TlsSocket(raw, self.contexts[way], NAME)
        if way == "h2":
            assert sock.tls.selected_alpn_protocol() == "h2"
            from h2_socket import H2Socket

            return H2Socket(sock)
        return sock
