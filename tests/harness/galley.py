"""Whole-server tests: start a program, talk to it over raw sockets, stop it, look at what it left.

Nothing here hides the wire: a test sends the bytes it means and gets back what came, read by a parser that
accepts nothing doubtful. Standard library only. tests/integration/conftest.py wraps this into fixtures.

    def test_page(serve, folder):
        server = serve(root=folder({"index.html": "hi"}))
        with server.connect() as client:
            client.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            response = client.read_response()
        assert response.status == 200 and response.body == b"hi"

Environment:
    GALLEY_BIN        the program; default build/dev/galley. Examples and helper programs are looked for beside
                      it: examples/NAME, programs/NAME.
    GALLEY_TEST_IO    how galley and the helper programs are to wait, as the option --io has it: epoll, uring; default:
                      they choose. Helper programs look for it themselves (wanted_io.h); examples do not
    GALLEY_TEST_WAY   over what most tests talk to a server, see ways.py
    GALLEY_TEST_SLOW  factor for every waiting time (sanitizer builds); default 1
"""

import os
import re
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLOW = float(os.environ.get("GALLEY_TEST_SLOW", "1"))

URL = re.compile(r"https?://(?P<host>127\.0\.0\.1|\[::1\]|localhost):(?P<port>\d+)/?")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9]) ([\t -~\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(;[\t -~\x80-\xff]*)?")
SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:|FATAL: \w+Sanitizer")


class ProtocolError(AssertionError):
    """The server sent something that is not a well-formed response."""


def program_path():
    return Path(os.environ.get("GALLEY_BIN", ROOT / "build/dev/galley")).resolve()


def built(kind, name):
    """Path of an example (kind "examples") or of a helper program (kind "programs")."""
    return program_path().parent / kind / name


def with_io(argv):
    """The command line of the program itself, with the --io that the environment asks for."""
    wanted = os.environ.get("GALLEY_TEST_IO")
    is_galley = argv[0] == str(program_path())
    return [argv[0], f"--io={wanted}", *argv[1:]] if wanted and is_galley else argv


# ---- responses -------------------------------------------------------------------------------------------------


@dataclass
class Response:
    version: str  # "HTTP/1.1"
    status: int
    reason: str
    headers: list  # [(name as sent, value), ...] in order
    body: bytes = b""
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # 1xx responses that came before, each a Response
    is_chunked: bool = False
    until_close: bool = False  # the body ended with the connection
    head: bytes = b""  # raw bytes up to and with the empty line

    def all(self, name):
        """Every value of a field, in order; the name in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name, default=None):
        """The only value of a field; a field sent twice fails the test."""
        values = self.all(name)
        if len(values) > 1:
            raise ProtocolError(f"{name} was sent {len(values)} times: {values}")
        return values[0] if values else default

    @property
    def text(self):
        return self.body.decode("utf-8")


def _parse_fields(lines, what):
    fields = []
    for line in lines:
        match = FIELD_LINE.fullmatch(line)
        if not match:
            raise ProtocolError(f"bad {what} line: {line!r}")
        fields.append((match[1].decode("latin-1"), match[2].decode("latin-1")))
    return fields


def parse_head(head):
    """The bytes of a head, with its empty line -> Response without body. Bare CR or LF is an error."""
    if not head.endswith(b"\r\n\r\n"):
        raise ProtocolError(f"head without its empty line: {head[-80:]!r}")
    lines = head[:-4].split(b"\r\n")
    for line in lines:
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise ProtocolError(f"bare CR, LF or NUL in a head: {line!r}")
    match = STATUS_LINE.fullmatch(lines[0])
    if not match:
        raise ProtocolError(f"bad status line: {lines[0]!r}")
    headers = _parse_fields(lines[1:], "field")
    return Response(lines[0][:8].decode(), int(match[1]), match[2].decode("latin-1"), headers, head=head)


def body_framing(response, method):
    """RFC 9112 §6.3 -> ("none", 0), ("length", n), ("chunked", 0) or ("close", 0). Refuses what is ambiguous."""
    lengths = response.all("Content-Length")
    codings = response.all("Transfer-Encoding")
    if lengths and codings:
        raise ProtocolError("Content-Length together with Transfer-Encoding")
    if len(lengths) > 1 or (lengths and not re.fullmatch(r"[0-9]+", lengths[0])):
        raise ProtocolError(f"bad Content-Length: {lengths}")
    if codings and codings != ["chunked"]:
        raise ProtocolError(f"unexpected Transfer-Encoding: {codings}")
    if response.status < 200 or response.status == 204:
        if lengths or codings:  # RFC 9110 §8.6, RFC 9112 §6.1
            raise ProtocolError(f"{response.status} with framing fields")
        return "none", 0
    if method == "HEAD" or response.status == 304:
        return "none", 0
    if codings:
        return "chunked", 0
    return ("length", int(lengths[0])) if lengths else ("close", 0)


# ---- client ----------------------------------------------------------------------------------------------------


def make_narrow(sock, receive_buffer):
    """Before it connects: who does not read is full after some 100 kB, not after megabytes. The segments become those of an
    Ethernet; with those of the loopback interface, 64 KiB, the server's kernel takes megabytes at once."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)


class Client:
    """One connection. Reads are buffered, so that pipelined answers can be taken one by one."""

    is_h2 = False  # the socket is a translator to HTTP/2; see ways.py

    def __init__(self, address, timeout=10.0, family=None, receive_buffer=None):
        if family is None:
            family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            make_narrow(self.socket, receive_buffer)
        self.socket.settimeout(timeout * SLOW)
        self.buffer = bytearray()
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise

    @classmethod
    def of(cls, connected, timeout=10.0):
        """A client on a socket that is connected already."""
        client = cls.__new__(cls)
        client.socket, client.buffer = connected, bytearray()
        connected.settimeout(timeout * SLOW)
        return client

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # -- sending

    def send(self, data):
        self.socket.sendall(data)

    def send_in_pieces(self, data, size=1, pause=0.0):
        """size bytes at a time, with a pause between; small packets are sent at once."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            self.socket.sendall(data[start : start + size])
            if pause:
                time.sleep(pause)

    def get(self, target="/", headers=(), method="GET", body=b"", version="HTTP/1.1"):
        """A well-formed request with Host, and its answer. For the wire itself use send()."""
        self.send(request_bytes(target, headers, method, body, version))
        return self.read_response(method)

    def finish_sending(self):
        """Half-close: the server sees the end, and may still answer."""
        self.socket.shutdown(socket.SHUT_WR)

    # -- reading

    def _fill(self):
        """Reads more into the buffer; False at the end of the connection."""
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def _take(self, size):
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def _read_to(self, mark, limit):
        while mark not in self.buffer:
            if len(self.buffer) > limit:
                raise ProtocolError(f"no {mark!r} within {limit} bytes")
            if not self._fill():
                raise ProtocolError(f"closed before {mark!r}; got {bytes(self.buffer[:400])!r}")
        return self._take(self.buffer.index(mark) + len(mark))

    def read_bytes(self, size):
        """Exactly so many bytes."""
        while len(self.buffer) < size:
            if not self._fill():
                raise ProtocolError(f"closed after {len(self.buffer)} of {size} bytes")
        return self._take(size)

    def read_head(self):
        """The next response up to its empty line (also a 1xx); the body stays unread."""
        return parse_head(self._read_to(b"\r\n\r\n", 1 << 16))

    def read_body(self, response, method="GET"):
        kind, length = body_framing(response, method)
        if kind == "length":
            response.body = self.read_bytes(length)
        elif kind == "chunked":
            self._read_chunks(response)
        elif kind == "close":
            response.until_close = True
            response.body = self.read_until_close()
        return response

    def read_response(self, method="GET", limit_interim=10):
        """The next final response, whole. 1xx ones before it are kept in .interim."""
        interim = []
        while True:
            response = self.read_head()
            if response.status >= 200 or response.status == 101:
                break
            body_framing(response, method)
            interim.append(response)
            if len(interim) > limit_interim:
                raise ProtocolError("too many interim responses")
        response.interim = interim
        return self.read_body(response, method)

    def _read_chunks(self, response):
        response.is_chunked = True
        body = bytearray()
        while True:
            line = self._read_to(b"\r\n", 4096)[:-2]
            match = CHUNK_LINE.fullmatch(line)
            if not match:
                raise ProtocolError(f"bad chunk line: {line!r}")
            size = int(match[1], 16)
            if size == 0:
                break
            body += self.read_bytes(size)
            if self.read_bytes(2) != b"\r\n":
                raise ProtocolError("chunk data without CRLF")
        while True:
            line = self._read_to(b"\r\n", 1 << 16)[:-2]
            if not line:
                break
            response.trailers += _parse_fields([line], "trailer")
        response.body = bytes(body)

    def read_until_close(self):
        """Everything up to the end of the connection. A reset is an error: ConnectionResetError."""
        while self._fill():
            pass
        return self._take(len(self.buffer))

    def expect_closed(self, allow_reset=False):
        """The server closes, and sends nothing more before it does."""
        try:
            rest = self.read_until_close()
        except ConnectionResetError:
            if not allow_reset:
                raise AssertionError("connection was reset, not closed") from None
            rest = self._take(len(self.buffer))
        assert rest == b"", f"unexpected bytes before the close: {rest[:400]!r}"

    def expect_end_after(self, response):
        """Behind this answer nothing more is read of what the client sends: over HTTP/1 the answer says that the
        connection closes (RFC 9112 §9.6), and it does; over HTTP/2 that is a stream's affair, and others go on."""
        if self.is_h2:
            self.socket.ping()
        else:
            assert response.header("Connection") == "close"
            self.expect_closed(allow_reset=True)

    def expect_open(self, for_s=0.1):
        """Nothing comes and nobody closes for so long."""
        assert not self.buffer, f"unexpected bytes: {bytes(self.buffer[:400])!r}"
        old = self.socket.gettimeout()
        self.socket.settimeout(for_s)
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            return
        finally:
            self.socket.settimeout(old)
        raise AssertionError(f"unexpected bytes: {data[:400]!r}" if data else "connection was closed")

    # -- ending

    def reset(self):
        """Close with RST, as a client that vanished."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def request_bytes(target="/", headers=(), method="GET", body=b"", version="HTTP/1.1"):
    """A request with Host and, if there is a body, Content-Length. headers: dict or pairs."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in pairs}
    if "host" not in names and version == "HTTP/1.1":
        pairs.insert(0, ("Host", "galley.test"))
    if body and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} {version}"] + [f"{name}: {value}" for name, value in pairs]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


# ---- server ----------------------------------------------------------------------------------------------------


class Server:
    """A running program. Its output goes to files under `work`, so that it can never block on a full pipe."""

    def __init__(self, argv, work, env=None, cwd=None, inherit=(), dress=None):
        """dress(socket) -> what clients use in place of the socket that connect() has made; None: the socket."""
        self.dress = dress
        self.argv = with_io([str(part) for part in argv])
        work = Path(work)
        work.mkdir(parents=True, exist_ok=True)
        self.stdout_path, self.stderr_path = work / "stdout", work / "stderr"
        self.host, self.port = None, None
        full_env = dict(os.environ, **(env or {}))
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=full_env, cwd=cwd, pass_fds=inherit
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def stdout(self):
        return self.stdout_path.read_text("utf-8", "replace")

    @property
    def stderr(self):
        return self.stderr_path.read_text("utf-8", "replace")

    @property
    def output(self):
        return self.stdout + self.stderr

    def _describe(self, what):
        return f"{what}\n  command: {' '.join(self.argv)}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def wait_ready(self, timeout=10.0):
        """Until a line with the URL has been printed; sets host and port."""
        found = self.wait_output(URL, timeout)
        self.host, self.port = found["host"].strip("[]"), int(found["port"])
        return self

    def wait_output(self, pattern, timeout=10.0):
        """Until stdout or stderr matches; returns the match. Fails when the program ends first."""
        deadline = time.monotonic() + timeout * SLOW
        while True:
            has_ended = self.process.poll() is not None
            found = re.search(pattern, self.output)
            if found:
                return found
            if has_ended:
                raise AssertionError(self._describe(f"exit {self.process.returncode} before {pattern!r}"))
            if time.monotonic() > deadline:
                raise AssertionError(self._describe(f"no {pattern!r} within {timeout * SLOW:g} s"))
            time.sleep(0.005)

    @property
    def url(self):
        return f"http{'s' if self.dress else ''}://{'[%s]' % self.host if ':' in self.host else self.host}:{self.port}/"

    def connect(self, timeout=10.0, receive_buffer=None):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        client = Client((self.host, self.port), timeout, family, receive_buffer)
        client.socket = self.dressed(client.socket)
        client.is_h2 = hasattr(client.socket, "h2")
        return client

    def dressed(self, connected):
        """The socket as clients of this server use it; closed when that fails."""
        try:
            return self.dress(connected) if self.dress else connected
        except BaseException:
            connected.close()
            raise

    def get(self, target="/", headers=(), method="GET", body=b"", version="HTTP/1.1"):
        """One well-formed request on a connection of its own."""
        with self.connect() as client:
            return client.get(target, headers, method, body, version)

    def exchange(self, raw):
        """Send bytes on a connection of their own, return everything until the server closes."""
        with self.connect() as client:
            client.send(raw)
            return client.read_until_close()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=10.0):
        """The exit code, once the program has ended by itself."""
        try:
            return self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._describe(f"still running after {timeout * SLOW:g} s")) from None

    def stop(self, expect_exit=0, timeout=10.0):
        """TERM, wait, and judge exit code and sanitizer reports. A program that ended already is only judged."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait(timeout)
        self.judge(expect_exit)
        return code

    def judge(self, expect_exit=0):
        if SANITIZER_REPORT.search(self.output):
            raise AssertionError(self._describe("a sanitizer reported"))
        code = self.process.returncode
        if expect_exit is not None and code != expect_exit:
            raise AssertionError(self._describe(f"exit {code}, expected {expect_exit}"))

    def kill(self):
        """The last resort, by pid; harmless after the end."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # -- what it uses (Linux /proc)

    def open_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def open_files(self):
        """What its descriptors are, as the kernel names it; those that are closed meanwhile are left out."""
        folder = Path(f"/proc/{self.pid}/fd")
        names = []
        for name in os.listdir(folder):
            try:
                names.append(os.readlink(folder / name))
            except FileNotFoundError:
                pass
        return names

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_until(condition, timeout=5.0, what="condition"):
    """Polls; for things that become true without a byte on a socket."""
    deadline = time.monotonic() + timeout * SLOW
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout * SLOW:g} s"
        time.sleep(0.005)
