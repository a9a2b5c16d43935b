"""Stopping: what runs is finished, what waits is told, what is new is refused."""

import hashlib
import signal
import threading

import pytest

import galley
import lab
from ways import only

SIZE = 64 << 20
MEDIUM = 16 << 20  # more than all buffers between a server and a client that does not read


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """(folder with a file of 64 MB and its first 16 MB as another, the hash of the first)"""
    root = tmp_path_factory.mktemp("big")
    block = b"".join(i.to_bytes(4, "big") for i in range(1 << 18))
    with open(root / "big.bin", "wb") as file:
        for i in range(SIZE // len(block)):
            file.write(bytes([i]) + block[1:])
    with open(root / "big.bin", "rb") as file:
        (root / "medium.bin").write_bytes(file.read(MEDIUM))
    (root / "index.html").write_text("hi")
    return root, hashlib.sha256((root / "big.bin").read_bytes()).hexdigest()


def begin(server, target="/big.bin", size=1 << 20):
    """A download that has begun and stands still."""
    client = server.connect(timeout=60, receive_buffer=65536)
    client.send(galley.request_bytes(target))
    head = client.read_head()
    assert head.status == 200
    return client, int(head.header("Content-Length")), client.read_bytes(size)


def is_refused(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # it waited to be accepted when the listener closed: ask again
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_lets_a_64_mb_download_finish(serve, big, number):
    """The whole file with the right hash, exit 0; meanwhile new connections are refused and idle ones closed."""
    root, digest = big
    server = serve(root=root)
    idle, silent = server.connect(), server.connect()
    assert idle.get("/").body == b"hi"
    client, length, begun = begin(server)
    server.signal(number)
    idle.expect_closed()
    silent.expect_closed()
    galley.wait_until(lambda: is_refused(server), what="new connections are refused")
    assert server.process.poll() is None, "it waits for the download"
    assert length == SIZE
    hashed = hashlib.sha256(begun)
    left = SIZE - len(begun)
    while left:
        part = client.read_bytes(min(left, 1 << 20))
        hashed.update(part)
        left -= len(part)
    client.expect_closed()
    assert hashed.hexdigest() == digest
    assert server.wait() == 0
    server.judge(0)


def test_ten_downloads_at_once_are_all_finished(serve, big):
    root, _ = big
    digest = hashlib.sha256((root / "medium.bin").read_bytes()).hexdigest()
    server = serve("--loops=2", root=root)
    clients = [begin(server, "/medium.bin") for _ in range(10)]
    server.signal(signal.SIGTERM)
    galley.wait_until(lambda: is_refused(server))
    hashes = []

    def finish(client, length, begun):
        hashes.append(hashlib.sha256(begun + client.read_bytes(length - len(begun))).hexdigest())

    threads = [threading.Thread(target=finish, args=part) for part in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client, _, _ in clients:
        client.close()
    assert hashes == [digest] * 10
    assert server.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(serve, big, second):
    """Exit 3, and the client sees a reset: a cut answer must not pass for a whole one."""
    server = serve(root=big[0], expect_exit=3)
    client, length, begun = begin(server)
    server.signal(signal.SIGTERM)
    galley.wait_until(lambda: is_refused(server))
    server.signal(second)
    assert server.wait() == 3
    data, was_reset = lab.read_all(client)
    assert was_reset and len(begun + data) < length


def test_a_drain_that_takes_too_long_is_cut_and_says_so(serve, big):
    """The deadline: exit 3, reset, and a sentence."""
    server = serve("--drain-timeout=500ms", root=big[0], expect_exit=3)
    client, length, begun = begin(server)
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 3
    data, was_reset = lab.read_all(client)
    assert was_reset and len(begun + data) < length
    assert server.stderr.strip()


def test_handlers_finish_in_a_drain_and_the_queue_is_worked_off(program):
    """Row 13 of the exercise: running and queued requests are answered with Connection: close; then all threads end."""
    server = program("lab_server", "workers=2", "queue_timeout_ms=60000")
    control, clients = server.connect(), [server.connect(timeout=30) for _ in range(6)]
    assert control.get("/").status == 200
    before = lab.counters(server)
    for client in clients:
        client.send(galley.request_bytes("/sleep/300"))
    lab.wait_for_requests(server, before, 6)
    server.signal(signal.SIGTERM)
    for client in clients:
        answer = client.read_response()
        assert answer.text == "slept\n" and answer.header("Connection") == "close"
        client.expect_closed()
        client.close()
    control.expect_closed()
    control.close()
    assert server.wait() == 0


@only("http1", because="HTTP/2 has whole heads only")
def test_a_request_that_is_half_there_is_finished_or_closed_in_a_drain(program):
    """Nobody waits for the rest of a head for ever (pain 19)."""
    server = program("lab_server", "drain_ms=20000", "head_timeout_ms=1000")
    client = server.connect()
    client.send(b"GET / HTTP/1.1\r\nHo")
    galley.time.sleep(0.1)
    server.signal(signal.SIGTERM)
    lab.read_all(client)
    client.close()
    assert server.wait(15) == 0


@only("http1", because="Connection: close and pipelining")
def test_pipelined_requests_are_answered_up_to_the_one_that_says_close(program):
    """RFC 9112 §9.6: after Connection: close nothing more is answered."""
    server = program("lab_server", "workers=1")
    with server.connect(timeout=30) as client:
        client.send(galley.request_bytes("/hold") + 3 * galley.request_bytes("/"))
        lab.wait_for_held(server, 1)
        other = server.connect()
        other.send(b"GET /release HTTP/1.1\r\n")
        galley.time.sleep(0.1)
        server.signal(signal.SIGTERM)
        galley.time.sleep(0.1)
        lab.send_what_it_takes(other, b"Host: a\r\n\r\n")
        lab.read_all(other)
        other.close()
        answers = lab.split_answers(lab.read_all(client)[0])
    assert answers[0].text == "held\n" and answers[-1].header("Connection") == "close"
    assert [answer.header("Connection") for answer in answers[:-1]] == [None] * (len(answers) - 1)
    assert server.wait() == 0


def test_max_requests_drains_by_itself(serve, folder):
    """Row 14 of the exercise: two requests, then the end; the third is refused."""
    server = serve("--max-requests=2", root=folder({"index.html": "hi"}))
    assert [server.get("/").body for _ in range(2)] == [b"hi", b"hi"]
    assert server.wait() == 0
    assert is_refused(server)


def test_a_drain_under_load_loses_no_answer(program):
    """Every request that was taken in is answered whole or not at all; none is cut."""
    server = program("lab_server", "workers=2", "loops=2")
    broken, served, stop = [], [], threading.Event()

    def load():
        while not stop.is_set():
            try:
                with server.connect() as client:
                    while client.get("/on-pool").header("Connection") != "close":
                        served.append(1)
            except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
                if stop.wait(0.01):
                    return
            except galley.ProtocolError as error:
                if "got b''" not in str(error):  # closed between two requests is allowed
                    broken.append(error)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    galley.wait_until(lambda: len(served) > 500, 20)
    server.signal(signal.SIGTERM)
    code = server.wait()
    stop.set()
    for thread in threads:
        thread.join()
    assert code == 0 and not broken
