"""Content-Length and chunk sizes: any text is either one number for everybody or refused. L21."""

import re

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

import lab  # noqa: E402
from ways import only  # noqa: E402

QUICK = dict(deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck))
LIMIT = 1 << 20
pytestmark = only("http1", because="Content-Length and chunks frame bodies in HTTP/1 alone")

numbers = st.one_of(
    st.integers(0, 40).map(str),
    st.sampled_from([2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 5, 10**17, 10**18]).map(str),
    st.text("0123456789+-xXaAfF.,; _\t\"", max_size=24),
    st.integers(0, 30).map(lambda n: f"{n:019}"),
)


def statuses(server, raw):
    """Final statuses of everything the server says to these bytes and a request behind them."""
    with server.connect() as client:
        lab.send_what_it_takes(client, raw)
        client.finish_sending()
        data, _ = lab.read_all(client)
    return [answer.status for answer in lab.split_answers(data) if answer.status >= 200]


def test_any_content_length_is_one_number_or_refused(program):
    """L21, RFC 9112 §6.3: digits only, at most 18 of them; a list of equal values is galley's to refuse or to take."""
    server = program("lab_server", "workers=1")

    @settings(max_examples=400, **QUICK)
    @given(numbers)
    def check(text):
        body = b"b" * 40
        raw = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + text.encode() + b"\r\n\r\n" + body
        seen = statuses(server, raw)
        value = text.strip(" \t")
        if not re.fullmatch("[0-9]{1,18}", value):
            assert seen == [400], text
        elif int(value) > LIMIT:
            assert seen == [413], text
        elif int(value) > 40:
            assert seen in ([], [400]), text  # the body never came whole
        elif int(value) == 40:
            assert seen == [200], text
        else:  # what is left of the body is no request
            assert seen == [200, 400] or seen == [200], text

    check()


def test_any_chunk_size_is_one_number_or_refused(program):
    """L9, L21, RFC 9112 §7.1: hex digits, at most 15."""
    server = program("lab_server", "workers=1")

    @settings(max_examples=400, **QUICK)
    @given(st.one_of(numbers, st.integers(0, 40).map("{:x}".format), st.text("0123456789abcdefABCDEF", max_size=20)))
    def check(text):
        size = int(text, 16) if re.fullmatch("[0-9a-fA-F]{1,15}", text) else None
        data = b"d" * min(size or 0, 100)
        raw = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + text.encode() + b"\r\n"
        raw += (data + b"\r\n0\r\n\r\n") if size else b"\r\n"
        seen = statuses(server, raw)
        if size is None:
            assert seen == [400] or ";" in text and seen in ([200], [400], []), text
        elif size > LIMIT:
            assert seen == [413], text
        elif size <= 100:
            assert seen == [200], text
        else:
            assert seen in ([], [400]), text

    check()


def test_a_thousand_empty_chunk_heads_cost_no_memory(program):
    """L21: a megabyte of one-byte chunks is 200 or 413, and the server is as small as before."""
    server = program("lab_server", "workers=1")
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert statuses(server, head + 100_000 * b"1\r\nx\r\n" + b"0\r\n\r\n") == [200]
    before = server.resident_bytes()
    for _ in range(5):
        assert statuses(server, head + 100_000 * b"1\r\nx\r\n" + b"0\r\n\r\n") == [200]
    assert lab.has_sanitizer(server) or server.resident_bytes() < before + (4 << 20)
