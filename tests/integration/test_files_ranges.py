"""Ranges of files against the naive slice. L5 (overflow), L6 (amplification), RFC 9110 §14."""

import re
import zlib

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

import galley  # noqa: E402

pytestmark = pytest.mark.core
QUICK = dict(deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck))
HUGE = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30]
SIZES = {"empty": 0, "one": 1, "small": 1000, "large": 3_000_000}  # large: sent from its descriptor
MOST_RANGES = 16


def pattern(size):
    return b"".join(i.to_bytes(4, "big") for i in range((size + 3) // 4))[:size]


FILES = {name: pattern(size) for name, size in SIZES.items()}


@pytest.fixture
def server(serve, folder):
    return serve(root=folder(FILES))


@pytest.fixture
def quick(way):
    """quick(examples) -> settings. What a range means is the same over every way, so that the others take fewer."""
    return lambda examples: settings(max_examples=examples if way == "http" else examples // 5, **QUICK)


def edges(size):
    near = [n for n in (0, 1, 2, size // 2, size - 1, size, size + 1) if n >= 0]
    return st.one_of(st.sampled_from(near), st.integers(0, size + 10), st.sampled_from(HUGE))


def one_range(size):
    return st.one_of(
        st.tuples(edges(size), edges(size)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
        edges(size).map(lambda n: f"{n}-"),
        edges(size).map(lambda n: f"-{n}"),
        st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda pair: f"000{pair[0]}-0{pair[1]}"),
    )


def slice_of(size, text):
    """What one range means: (first, end), None if nothing can satisfy it, "bad" if it is no range. RFC 9110 §14.1.2."""
    match = re.fullmatch("([0-9]*)-([0-9]*)", text)
    if not match or text == "-":
        return "bad"
    first, last = match.groups()
    if not first:
        count = min(int(last), size)
        return (size - count, size) if count else None
    if last and int(last) < int(first):
        return "bad"
    if int(first) >= size:
        return None
    return int(first), min(int(last) + 1, size) if last else size


def expect_naive(answer, data, text):
    """One range, any numbers: the answer is what a slice of the content gives."""
    wanted = slice_of(len(data), text)
    if wanted == "bad":
        assert answer.status == 200 and answer.body == data, text
    elif wanted is None:
        assert answer.status == 416 and answer.header("Content-Range") == f"bytes */{len(data)}", text
    else:
        first, end = wanted
        assert answer.status == 206 and answer.body == data[first:end], text
        assert answer.header("Content-Range") == f"bytes {first}-{end - 1}/{len(data)}"


@pytest.mark.parametrize("name", ["one", "small", "large"])
def test_any_single_range_is_the_naive_slice(server, quick, name):
    """L5: 2^63, 2^64, -0, 9-5 and beyond: 0 <= from, from + len <= size. RFC 9110 §14.2."""
    data = FILES[name]
    with server.connect() as client:

        @quick(60 if name == "large" else 400)
        @given(one_range(len(data)))
        def check(text):
            expect_naive(client.get("/" + name, {"Range": "bytes=" + text}), data, text)

        check()


@pytest.mark.parametrize("text", ["0-", "-1", "0-0", "-0", "5-1"])
def test_no_range_of_an_empty_file_can_be_satisfied(server, text):
    """L5, RFC 9110 §14.1.2; a server may ignore Range for an empty file."""
    answer = server.get("/empty", {"Range": "bytes=" + text})
    assert (answer.status, answer.body) == (200, b"") or (
        answer.status == 416 and answer.header("Content-Range") == "bytes */0")


def parts_of(answer, data):
    """[(first, end), ...] of a multipart answer, each part checked against the content. RFC 9110 §14.6."""
    match = re.fullmatch(r'multipart/byteranges; ?boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?', answer.header("Content-Type"))
    assert match, answer.header("Content-Type")
    assert answer.header("Content-Range") is None
    mark = b"--" + match[1].encode()
    body = answer.body[2:] if answer.body.startswith(b"\r\n") else answer.body
    spans = []
    while not body.startswith(mark + b"--"):
        assert body.startswith(mark + b"\r\n"), body[:200]
        head, body = body[len(mark) + 2 :].split(b"\r\n\r\n", 1)
        fields = re.search(rb"(?i)content-range: bytes (\d+)-(\d+)/(\d+)", head)
        first, last, size = (int(part) for part in fields.groups())
        assert size == len(data) and body[: last - first + 1] == data[first : last + 1]
        assert body[last - first + 1 :].startswith(b"\r\n")
        body = body[last - first + 3 :]
        spans.append((first, last + 1))
    assert body.rstrip(b"\r\n") == mark + b"--"
    return spans


def covered(spans):
    """The offsets that lie in one of the spans."""
    return {offset for first, end in spans for offset in range(first, end)}


def expect_ranges(answer, data, texts):
    """Several ranges: whole, merged or in parts, but never another byte, and never much more than the file."""
    assert len(answer.body) + len(answer.head) <= len(data) + MOST_RANGES * 300 + 1000
    wanted = [slice_of(len(data), text) for text in texts]
    if "bad" in wanted:
        assert answer.status == 200 and answer.body == data
        return
    wanted = [span for span in wanted if span]
    if not wanted and answer.status == 416:
        assert answer.header("Content-Range") == f"bytes */{len(data)}"
    elif answer.status == 200:
        total = sum(end - first for first, end in wanted)
        assert answer.body == data
        assert len(texts) > MOST_RANGES or total > len(data) or len(covered(wanted)) < total or total + 200 > len(data)
    elif answer.header("Content-Type").startswith("multipart/"):
        assert answer.status == 206
        spans = parts_of(answer, data)
        assert 2 <= len(spans) <= MOST_RANGES and covered(spans) >= covered(wanted)
    else:
        assert answer.status == 206
        first, last = re.fullmatch(r"bytes (\d+)-(\d+)/\d+", answer.header("Content-Range")).groups()
        assert answer.body == data[int(first) : int(last) + 1]
        assert covered([(int(first), int(last) + 1)]) >= covered(wanted)


def test_any_list_of_ranges_gives_no_wrong_byte_and_no_more_than_the_file(server, quick):
    """L5, L6."""
    data = FILES["small"]
    with server.connect() as client:

        @quick(300)
        @given(st.lists(one_range(len(data)), min_size=2, max_size=20), st.sampled_from([",", ", ", " ,"]))
        def check(texts, comma):
            expect_ranges(client.get("/small", {"Range": "bytes=" + comma.join(texts)}), data, texts)

        check()


def test_any_text_as_range_gives_the_whole_file_or_a_true_part(server, quick):
    """L5: what is no range is no reason to fail."""
    data = FILES["small"]
    with server.connect() as client:

        @quick(400)
        @given(st.one_of(st.text("0123456789-,= \tbytesXx*/+\"", max_size=40),
                         st.text("0123456789-, ", max_size=30).map(lambda text: "bytes=" + text)))
        def check(text):
            answer = client.get("/small", {"Range": text})
            assert answer.status in (200, 206, 416)
            if answer.status == 200:
                assert answer.body == data
            elif answer.status == 206 and not answer.header("Content-Type").startswith("multipart/"):
                first, last = re.fullmatch(r"bytes (\d+)-(\d+)/1000", answer.header("Content-Range")).groups()
                assert answer.body == data[int(first) : int(last) + 1]
            elif answer.status == 206:
                parts_of(answer, data)

        check()


@pytest.mark.parametrize("ranges", [",".join(["0-"] * 500), ",".join(f"{i}-" for i in range(600)),
                                    ",".join(["0-0"] * 1300), ",".join(["-3000000"] * 20),
                                    ",".join(f"{i}-{i + 1}" for i in range(0, 1000, 2)), "0-,0-,0-", "0-2999999,1-2999999"])
def test_a_small_request_never_makes_a_large_promise(server, ranges):
    """L6: more than 16 ranges, or more bytes than the file: merged or the whole file."""
    data = FILES["large"]
    answer = server.get("/large", {"Range": "bytes=" + ranges})
    assert answer.status in (200, 206)
    assert len(answer.body) <= len(data) + 5000
    if answer.status == 200:
        assert answer.body == data


def test_a_few_ranges_come_as_parts(server):
    """RFC 9110 §14.6, §15.3.7.2."""
    data = FILES["large"]
    answer = server.get("/large", {"Range": "bytes=0-9, 1000000-1000099, -5"})
    assert answer.status == 206
    assert parts_of(answer, data) == [(0, 10), (1000000, 1000100), (2999995, 3000000)]


def test_head_with_range_has_no_body_and_the_connection_goes_on(server):
    """RFC 9110 §14.2: Range is for GET; HEAD must not desynchronize."""
    with server.connect() as client:
        for text in ("0-9", "0-1,5-6", "9999999-"):
            answer = client.get("/small", {"Range": "bytes=" + text}, method="HEAD")
            assert answer.status in (200, 206, 416) and answer.body == b""
        assert client.get("/small").body == FILES["small"]


def test_if_range_decides_between_part_and_whole(server):
    """RFC 9110 §13.1.5: a strong validator that matches, or the whole file."""
    data = FILES["small"]
    plain = server.get("/small")
    tag, date = plain.header("ETag"), plain.header("Last-Modified")
    assert tag.startswith('"'), "strong, from the content"
    rows = [(tag, 206), ('"other"', 200), ("W/" + tag, 200), (date, None), ("Thu, 01 Jan 1998 00:00:00 GMT", 200), ("x", 200)]
    for value, status in rows:
        answer = server.get("/small", {"Range": "bytes=1-3", "If-Range": value})
        assert answer.status in ((status,) if status else (200, 206)), value
        assert answer.body == (data[1:4] if answer.status == 206 else data)


def test_conditions_come_before_ranges(server):
    """RFC 9110 §13.2.2."""
    tag = server.get("/small").header("ETag")
    assert server.get("/small", {"Range": "bytes=0-1", "If-None-Match": tag}).status == 304
    assert server.get("/small", {"Range": "bytes=0-1", "If-Match": '"other"'}).status == 412
    assert server.get("/small", {"Range": "bytes=0-1", "If-Match": tag}).status == 206
    assert server.get("/small", {"Range": "bytes=0-1", "If-None-Match": f'W/{tag}, "x"'}).status == 304


def test_a_range_of_a_compressed_neighbour_is_a_part_of_what_the_headers_say(serve, folder):
    """RFC 9110 §14: Vary on 206 and 304 too, an ETag for each variant."""
    plain = b"text " * 2000
    packed = zlib.compress(plain, 9, 31)
    server = serve(root=folder({"a.txt": plain, "a.txt.gz": packed}))
    gzip = server.get("/a.txt", {"Accept-Encoding": "gzip"})
    assert gzip.header("Content-Encoding") == "gzip" and gzip.body == packed
    part = server.get("/a.txt", {"Accept-Encoding": "gzip", "Range": "bytes=10-19"})
    whole = packed if part.header("Content-Encoding") == "gzip" else plain
    assert part.status == 206 and part.body == whole[10:20]
    assert part.header("Content-Range") == f"bytes 10-19/{len(whole)}"
    identity = server.get("/a.txt")
    assert identity.body == plain and identity.header("ETag") != gzip.header("ETag")
    again = server.get("/a.txt", {"Accept-Encoding": "gzip", "If-None-Match": gzip.header("ETag")})
    assert again.status == 304
    for answer in (gzip, part, identity, again):
        assert "accept-encoding" in answer.header("Vary").lower()


def test_a_range_of_four_gib_and_more(serve, folder):
    """L5: sizes and offsets over 2^32, in a file with holes."""
    root = folder()
    size = 5 * 2**30 + 123
    with open(root / "big", "wb") as file:
        file.seek(2**32 + 7)
        file.write(b"over four gibibytes")
        file.truncate(size)
    server = serve(root=root)
    answer = server.get("/big", {"Range": f"bytes={2**32 + 7}-{2**32 + 25}"})
    assert answer.body == b"over four gibibytes" and answer.status == 206
    assert answer.header("Content-Range") == f"bytes {2**32 + 7}-{2**32 + 25}/{size}"
    assert server.get("/big", {"Range": "bytes=-3"}).body == b"\0\0\0"
    assert server.get("/big", method="HEAD").header("Content-Length") == str(size)
    assert galley.body_framing(server.get("/big", {"Range": f"bytes={size}-"}), "GET")[0] == "length"
