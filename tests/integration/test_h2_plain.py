"""HTTP/2 by prior knowledge on a plain port (RFC 9113 §3.3), with python3-h2: files, handlers, bodies, streams,
WebSocket, refusals and draining, over a whole server."""

import signal

import pytest

import h2_client

PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 1, 2, 7, 11
MAX_CONCURRENT_STREAMS = 3
HEADERS, PING, GOAWAY, ACK = 1, 6, 7, 1


def test_files_are_served_over_one_connection(serve, folder):
    """RFC 9113 §8.1: sizes around a frame, a window and what is cached."""
    files = {f"f{size}.txt": b"x" * size for size in (0, 1, 16383, 16384, 16385, 65535, 300_000, 3_000_000)}
    server = serve(root=folder(files))
    with h2_client.connect(server) as client:
        streams = {name: client.request(f"/{name}") for name in files}
        for name, stream in streams.items():
            answer = client.answer(stream)
            assert answer.status == 200 and answer.body == files[name]
            assert int(answer.get("content-length")) == len(files[name])
        etag = client.get("/f1.txt").get("etag")
        assert client.get("/f1.txt", headers=[("if-none-match", etag)]).status == 304
        part = client.get("/f300000.txt", headers=[("range", "bytes=10-19")])
        assert part.status == 206 and len(part.body) == 10
        head = client.get("/f16384.txt", method="HEAD")
        assert head.status == 200 and head.body == b"" and head.get("content-length") == "16384"
        assert client.get("/nothing").status == 404
        assert client.get("/../x").status == 400
        assert not client.goaways
    assert b"HTTP/1.1 200" in server.exchange(b"GET /f1.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")


def test_handlers_on_loop_and_pool_answer_many_streams(program):
    server = program("lab_server", "workers=2")
    with h2_client.connect(server) as client:
        streams = [client.request("/on-pool" if i % 2 else "/") for i in range(60)]
        assert all(client.answer(stream).status == 200 for stream in streams)
        body = bytes(range(256)) * 4000
        first, second = client.request("/echo", "POST", body=body), client.request("/echo-on-loop", "POST", body=b"abc")
        assert client.answer(first).body == body
        assert client.answer(second).body == b"abc"
        slow = client.request("/sleep/200")
        assert client.get("/").status == 200  # nobody waits behind it
        assert client.answer(slow).status == 200


def test_pieces_of_a_worker_come_whole_or_end_in_a_reset(program):
    """RFC 9113 §8.1: what was cut does not look whole."""
    server = program("lab_server", "workers=2")
    with h2_client.connect(server) as client:
        pieces, short, events = client.request("/stream/400000"), client.request("/short"), client.request("/events")
        assert client.answer(pieces).body == (bytes(range(97, 123)) * 16000)[:400000]
        assert client.answer(short).reset == INTERNAL_ERROR
        head = client.get("/stream/400000", method="HEAD")
        assert head.status == 200 and head.body == b""
        while not client.answers[events].body:
            client.receive()
        client.h2.reset_stream(events)
        client.flush()
        assert client.get("/on-pool").status == 200


def test_a_stream_that_is_reset_costs_no_other_anything(program):
    """RFC 9113 §5.4.2."""
    server = program("lab_server", "workers=2")
    with h2_client.connect(server) as client:
        held = client.request("/hold")
        while client.get("/held").body.strip() != b"1":
            pass
        client.h2.reset_stream(held)
        client.flush()
        assert client.get("/").status == 200
        assert client.get("/release").status == 200
        assert client.get("/on-pool").status == 200


@pytest.mark.parametrize(
    "headers",
    [[("connection", "close")], [("Upper", "1")], [("te", "gzip")], [("transfer-encoding", "chunked")], [(":late", "1")],
     [("host", "other")], [("upgrade", "h2c")]],
    ids=lambda headers: headers[0][0],
)  # fmt: skip
def test_malformed_requests_are_stream_errors(serve, folder, headers):
    """RFC 9113 §8.1.1, §8.2, §8.3."""
    with h2_client.connect(serve(root=folder({"a": "a"}))) as client:
        answer = client.answer(client.request("/a", headers=headers))
        assert answer.reset == PROTOCOL_ERROR
        assert client.get("/a").body == b"a"


def test_upgrade_to_h2c_is_not_taken(serve, folder):
    """RFC 9113 §3.1: deprecated; the request is answered over HTTP/1.1."""
    server = serve(root=folder({"a": "a"}))
    got = server.exchange(
        b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
    )
    assert got.startswith(b"HTTP/1.1 200 ")


def test_rapid_reset_ends_the_connection_and_nothing_else(serve, folder):
    """L2, CVE-2023-44487."""
    server = serve(root=folder({"a": "a"}))
    with h2_client.connect(server) as client:
        for _ in range(3000):
            client.h2.reset_stream(client.request("/a"))
            client.flush()
        while client.receive():  # the server lingers, so that GOAWAY arrives
            pass
        assert client.goaways[-1][0] == ENHANCE_YOUR_CALM
    with h2_client.connect(server) as client:
        assert client.get("/a").status == 200


def test_streams_beyond_the_limit_without_end_end_the_connection(program):
    """RFC 9113 §5.1.2: refused, and in the end not borne, by a client that has acknowledged the number; it is counted."""
    server = program("lab_server")
    with h2_client.connect(server) as client:
        assert client.get("/").status == 200  # SETTINGS have been exchanged
        client.h2.remote_settings[MAX_CONCURRENT_STREAMS] = 1000
        client.h2.remote_settings.acknowledge()  # python3-h2 believes this
        head = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/events")]
        for stream in range(3, 503, 2):
            client.answers[stream] = h2_client.Answer()
            client.h2.send_headers(stream, head, end_stream=True)
        client.flush()  # all at once
        while client.receive():
            pass
        assert client.goaways[-1][0] == ENHANCE_YOUR_CALM
        refused = [answer for answer in client.answers.values() if answer.reset == REFUSED_STREAM]
        assert 100 <= len(refused) <= 150
    with h2_client.connect(server) as client:
        assert b"h2_guard_refused 1\n" in client.get("/counters").body


def test_websocket_over_a_stream(program):
    """RFC 8441 §5: an extended CONNECT; frames as ever, beside other streams."""
    server = program("lab_server")
    with h2_client.connect(server) as client:
        while client.h2.remote_settings[8] != 1:  # SETTINGS_ENABLE_CONNECT_PROTOCOL
            assert client.receive()
        headers = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
        stream = client.request("/socket", "CONNECT", headers, ends=False)
        answer = client.answers[stream]
        while not answer.headers:
            client.receive()
        assert answer.status == 200 and answer.get("sec-websocket-accept") is None
        while len(answer.body) < 7:
            client.receive()
        assert answer.body == b"\x81\x05hello"
        assert client.get("/").status == 200
        client.send(stream, bytes([0x88, 0x82, 0, 0, 0, 0, 3, 0xE8]))
        assert client.answer(stream).body.endswith(b"\x88\x02\x03\xe8")


def test_draining_lets_what_was_accepted_finish(program):
    """RFC 9113 §6.8: GOAWAY in two steps, the second when the client has answered."""
    server = program("lab_server", "workers=2")
    goaways, answered = [], False
    with h2_client.connect(server) as client:
        held = client.request("/sleep/300")
        assert client.get("/").status == 200
        server.signal(signal.SIGTERM)
        for kind, flags, stream, payload in h2_client.frames(client):
            if kind == GOAWAY:
                goaways.append((payload[4:8], int.from_bytes(payload[:4], "big")))
            elif kind == PING and not flags & ACK:
                client.sock.sendall(bytes([0, 0, 8, PING, ACK, 0, 0, 0, 0]) + payload)
            elif kind == HEADERS and stream == held:
                answered = True
    assert goaways == [(bytes(4), 0x7FFFFFFF), (bytes(4), 3)]
    assert answered or client.answers[held].headers  # before, if TERM came late
    assert server.wait() == 0
