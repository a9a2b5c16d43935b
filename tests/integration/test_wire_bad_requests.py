"""The tables of malformed and of odd requests (tests/data/) against running servers: status, close, no second answer.

L7, L9, L21: nothing sent behind a refused request is ever answered."""

import random

import pytest

import galley
import lab
from ways import only
from bad_requests import bad_requests, good_requests

BAD, GOOD = bad_requests(), good_requests()
pytestmark = [pytest.mark.xdist_group("bad requests"),  # the last test looks at what the others did
              only("http1", because="its bytes are malformed as HTTP/1.1")]
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def named(cases):
    return [pytest.param(case, id=case.name) for case in cases]


def start(argv, work, **how):
    server = galley.Server(argv, work, **how)
    try:
        server.wait_ready()
    except AssertionError:
        server.kill()
        raise
    return server


def stop(server):
    try:
        server.stop()
    finally:
        server.kill()


@pytest.fixture(scope="module")
def lab_server(tmp_path_factory, dress, env_of_way):
    work = tmp_path_factory.mktemp("lab")
    server = start([galley.built("programs", "lab_server")], work, env=env_of_way, dress=dress)
    yield server
    stop(server)


@pytest.fixture(scope="module")
def file_server(tmp_path_factory, dress, options_of_way):
    root = tmp_path_factory.mktemp("root")
    (root / "index.html").write_text("hi")
    (root / "smuggled").write_text("smuggled")
    argv = [galley.program_path(), *options_of_way, root]
    server = start(argv, tmp_path_factory.mktemp("galley"), dress=dress)
    yield server
    stop(server)


def method_of(case):
    return "HEAD" if case.bytes.startswith(b"HEAD ") else "GET"


def expect_one_answer(client, case, statuses):
    """One final answer that says it closes, then the end and nothing else."""
    data, _ = lab.read_all(client)
    answers = lab.split_answers(data, [method_of(case)])
    assert [answer.status for answer in answers if answer.status >= 200] in [[status] for status in statuses], data
    assert answers[-1].header("Connection") == "close"
    return answers[-1]


def send_bad(server, case, statuses, pieces):
    with server.connect() as client:
        client.socket.setsockopt(galley.socket.IPPROTO_TCP, galley.socket.TCP_NODELAY, 1)
        for piece in pieces:
            lab.send_what_it_takes(client, piece)
        if case.closes:
            lab.send_what_it_takes(client, SMUGGLED)
            expect_one_answer(client, case, statuses)
        else:
            assert client.read_response(method_of(case)).status in statuses
            assert client.get("/smuggled").status == 200


def statuses_of(case):
    # RFC 9110 §9.3.8: a handler's path knows no TRACE; http.md leaves 405 and 501 open
    return (405, 501) if case.name in ("trace", "connect") else (case.status,)


@pytest.mark.parametrize("case", named(BAD))
def test_a_bad_request_gets_its_status_and_no_second_answer(lab_server, case):
    """L7, L9, L21."""
    send_bad(lab_server, case, statuses_of(case), [case.bytes])


@pytest.mark.parametrize("case", named([case for case in BAD if len(case.bytes) < 400][::6]))
def test_a_bad_request_gets_the_same_byte_by_byte(lab_server, case):
    """L7, L27. Every request in every cut runs on the simulated loop; these are a sample over real sockets."""
    send_bad(lab_server, case, statuses_of(case), [bytes([byte]) for byte in case.bytes])


@pytest.mark.parametrize("case", named(BAD[3::9]))
def test_a_bad_request_gets_the_same_in_two_parts(lab_server, case):
    """L7, L27."""
    cut = random.Random(case.name).randrange(1, len(case.bytes))
    send_bad(lab_server, case, statuses_of(case), [case.bytes[:cut], case.bytes[cut:]])


@pytest.mark.parametrize("case", named([case for case in BAD if case.stage != "body"]))
def test_the_program_refuses_it_before_it_looks_for_a_file(file_server, case):
    """Framing and syntax are judged before method and route: a malformed POST to a file is 400, not 405."""
    statuses = statuses_of(case)
    if case.stage == "server" and case.status == 413:
        statuses = (405, 413)  # well-formed: that nobody takes a POST may be said first
    send_bad(file_server, case, statuses, [case.bytes])


@pytest.mark.parametrize("case", named([case for case in BAD if case.stage == "body"][::3]))
def test_a_broken_body_that_nobody_wanted_ends_the_connection(file_server, case):
    """L7: the program answers 405 to a POST; a body that cannot be skipped is never read as a request."""
    with file_server.connect() as client:
        lab.send_what_it_takes(client, case.bytes + SMUGGLED)
        client.finish_sending()
        data, _ = lab.read_all(client)
    answers = lab.split_answers(data)
    assert len(answers) == 1 and answers[0].status in (400, 404, 405, 413, 431)


@pytest.mark.parametrize("case", named(GOOD))
def test_an_odd_but_good_request_is_taken(lab_server, case):
    """RFC 9112 §2.2, §3, §5, §7: liberal only where two parsers cannot differ."""
    with lab_server.connect() as client:
        client.send(case.bytes)
        answer = client.read_response("HEAD" if case.method == "HEAD" else "GET")
        assert answer.status not in (400, 414, 431, 505)
        if answer.status == 200 and case.target.endswith(b"/echo"):
            assert answer.body == case.body
        if answer.header("Connection") == "close":
            client.expect_closed()
        else:
            assert client.get("/smuggled", version="HTTP/1.1").status == 200


def test_both_servers_are_well_after_all_of_it(lab_server, file_server):
    """The last test of this file: nothing is left open but this connection."""
    assert lab_server.get("/").status == 200
    assert file_server.get("/").body == b"hi"
    counts = lab.counters(lab_server)
    assert sum(number for name, number in counts.items() if name.startswith("closed_")) > 300, counts
