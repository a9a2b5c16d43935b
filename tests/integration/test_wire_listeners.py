"""Where a server listens: IPv4, IPv6, unix sockets, inherited sockets, several of them, any port."""

import re
import socket

import galley
import pytest
from ways import only

ROOT = {"index.html": "hi"}
pytestmark = only("plain", because="its listeners are its own")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_any_port_is_told(serve, folder):
    server = serve("--listen=127.0.0.1:0", root=folder(ROOT))
    assert server.port > 0 and server.get("/").body == b"hi"


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6(serve, folder):
    server = serve("--listen=[::1]:0", root=folder(ROOT))
    assert server.host == "::1" and server.get("/").body == b"hi"


def test_a_unix_socket(serve, folder, tmp_path):
    path = tmp_path / "galley.sock"
    server = serve("--listen=127.0.0.1:0", f"--listen=unix:{path}", root=folder(ROOT))
    with galley.Client(str(path)) as client:
        assert client.get("/").body == b"hi"
    assert server.get("/").body == b"hi"
    server.stop()
    assert not path.exists(), "it takes away what it made"


def listens(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_a_unix_socket_left_by_a_dead_server_is_taken_over_and_a_live_one_is_not(serve, folder, tmp_path, run):
    path = tmp_path / "galley.sock"
    first = serve("--listen=127.0.0.1:0", f"--listen=unix:{path}", root=folder(ROOT), expect_exit=None)
    second = run(f"--listen=unix:{path}", str(folder(ROOT)))
    assert second.returncode == 1 and str(path) in second.stderr
    with galley.Client(str(path)) as client:
        assert client.get("/").body == b"hi"
    first.kill()
    galley.wait_until(lambda: not listens(path), what="the end of its sockets")  # over io_uring some ms later
    assert path.exists()
    serve("--listen=127.0.0.1:0", f"--listen=unix:{path}", root=folder({"index.html": "second"}))
    with galley.Client(str(path)) as client:
        assert client.get("/").body == b"second"


def test_a_socket_handed_over_by_a_supervisor(launch, folder):
    """fd:N: bound before the server was there; connections that waited are served."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        early = galley.Client(listener.getsockname())
        early.send(galley.request_bytes("/"))
        number = listener.fileno()
        server = launch([galley.program_path(), f"--listen=fd:{number}", folder(ROOT)], inherit=[number])
        assert early.read_response().body == b"hi"
        assert server.get("/").body == b"hi"
        early.close()


def test_something_that_is_no_listening_socket_is_refused(run, folder):
    with open("/dev/null") as file:
        done = run(f"--listen=fd:{file.fileno()}", str(folder(ROOT)), pass_fds=[file.fileno()])
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) <= 2


def test_several_listeners_serve_the_same(serve, folder):
    server = serve("--listen=127.0.0.1:0", "--listen=127.0.0.2:0", "--listen=127.0.0.1:0", "--loops=2", root=folder(ROOT))
    found = {(host, int(port)) for host, port in re.findall(r"http://(127\.0\.0\.[12]):(\d+)", server.output)}
    assert len(found) == 3
    for address in found:
        with galley.Client(address) as client:
            assert client.get("/").body == b"hi"


def test_a_port_that_is_taken_is_one_sentence(run, serve, folder):
    server = serve(root=folder(ROOT))
    done = run(f"--listen=127.0.0.1:{server.port}", str(folder(ROOT)))
    assert done.returncode == 1 and str(server.port) in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_two_loops_serve_many_connections(serve, folder):
    server = serve("--loops=2", root=folder(ROOT))
    clients = [server.connect() for _ in range(50)]
    for _ in range(3):
        for client in clients:
            client.send(galley.request_bytes("/"))
        assert [client.read_response().body for client in clients] == [b"hi"] * 50
    for client in clients:
        client.close()
