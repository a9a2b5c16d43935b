"""Requests as bytes, and one checked look at each answer before it is measured. Imported by bench/load/run."""

import gzip
import http.client
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass

import tls_setup
import www

DECODERS = {"": lambda data: data, "gzip": gzip.decompress,
            "br": lambda data: subprocess.run(["brotli", "-dc"], input=data, capture_output=True, check=True).stdout}


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
LIMIT_S = 10


class Wrong(Exception):
    """An answer is not what was asked for: no figure then."""


@dataclass(frozen=True)
class Seen:
    """A request as it is to be sent, and the answer it must get."""
    request: bytes
    status: int
    body_bytes: int
    headers: tuple
    head_bytes: int = 0
    head_fields: int = 0


def host_of(tls):
    """A certificate wants a name."""
    return tls_setup.NAME if tls else "127.0.0.1"


def request_bytes(ask, extra=(), tls=""):
    lines = [f"{ask.method} {ask.path} HTTP/1.1", f"Host: {host_of(tls)}", *ask.headers, *extra]
    if ask.method != "GET":
        lines.append(f"Content-Length: {ask.body_bytes}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + bytes(ask.body_bytes)


def shake_hands(port, tls):
    """A connection of that version of TLS. The measuring client offers one cipher only and looks at each handshake;
    check_tls() looks at what it says of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = VERSIONS[tls]
    plain = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
    return context.wrap_socket(plain, server_hostname=host_of(tls))


def check_tls(row, said):
    """`said`: of the client's last handshake, which was as all the others, or it would have ended."""
    wanted = tls_setup.words(row.tls, row.resumes) if row.tls else ""
    if said != wanted:
        raise Wrong(f"{said or 'no TLS'} instead of {wanted or 'no TLS'}")


def ask_on(connection, ask, extra=()):
    """-> the answer and its body."""
    headers = dict(line.split(": ", 1) for line in (*ask.headers, *extra))
    connection.putrequest(ask.method, ask.path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if ask.method != "GET":
        connection.putheader("Content-Length", str(ask.body_bytes))
    connection.endheaders()
    connection.send(bytes(ask.body_bytes))
    answer = connection.getresponse()
    return answer, answer.read()


def fetch(port, ask, extra=(), tls=""):
    """-> the answer and its body."""
    connection = http.client.HTTPConnection(host_of(tls), port, timeout=LIMIT_S)
    try:
        if tls:
            connection.sock = shake_hands(port, tls)
        return ask_on(connection, ask, extra)
    finally:
        connection.close()


def is_encoded(port, ask):
    return bool(fetch(port, ask)[0].headers.get("Content-Encoding"))


def check_body(ask, answer, body, root):
    encoding = answer.headers.get("Content-Encoding", "")
    if ask.encoded and not encoding:
        raise Wrong(f"{ask.path} is not compressed")
    if encoding not in DECODERS or (encoding == "br" and not shutil.which("brotli")):
        raise Wrong(f"{ask.path} comes as {encoding}")
    expected = (root / ask.file).read_bytes()
    if ask.part:
        expected = expected[slice(*ask.part)]
    if DECODERS[encoding](body) != expected:
        raise Wrong(f"{ask.path} has another content")


def head_bytes_of(answer):
    """Status line, fields and the empty line."""
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in answer.getheaders())]
    return sum(len(line) + 2 for line in lines) + 2


def look(port, ask, root, is_blind=False, tls=""):
    """Asks once and compares. A floor answers anything with so many bytes."""
    extra = ()
    if ask.method == "PUT":
        fetch(port, ask, tls=tls)  # the second one replaces what is there
    if ask.is_revalidation:
        tag = fetch(port, ask, tls=tls)[0].headers.get("ETag")
        if not tag:
            raise Wrong("no entity tag")
        extra = (f"If-None-Match: {tag}",)
    answer, body = fetch(port, ask, extra, tls)
    if answer.status != ask.status:
        raise Wrong(f"status {answer.status}")
    if is_blind and len(body) != www.SMALL_BYTES:
        raise Wrong(f"{len(body)} bytes")
    if ask.file and not is_blind:
        check_body(ask, answer, body, root)
    return Seen(request_bytes(ask, extra, tls), answer.status, len(body), (*ask.headers, *extra), head_bytes_of(answer),
                len(answer.getheaders()))


def write_requests(path, seen, depth=1):
    """The file that bench_client reads."""
    with path.open("wb") as file:
        for each in seen:
            file.write(f"{each.status} {each.body_bytes} {len(each.request) * depth}\n".encode())
            file.write(each.request * depth)
