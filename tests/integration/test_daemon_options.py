"""Every option of the program takes effect, or at least arrives. The table of what is tested is checked against --help,
so that a new option needs a line here."""

import gzip
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

import galley
import h2_client
from lab import about
from ways import only

HTML = {"Accept": "text/html"}
SITE = {"index.html": "home", "about.html": "about us", "404.html": "not here", "style.css": "p{}", "sub/a.txt": "a"}
def config(run, *options):
    """--print-config as {name: (value, origin)}."""
    done = run("--print-config", *options)
    assert done.returncode == 0, done.stderr
    rows = {}
    for line in done.stdout.splitlines():
        name, rest = line.split(None, 1) if " " in line else (line, "")
        value, origin = rest.rsplit("# ", 1)
        rows[name] = (value.strip(), origin)
    return rows


def can_connect(path):
    """Bound is not yet listening."""
    try:
        galley.Client(str(path)).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


# ---- what is served


@only("plain", because="its listeners are its own")
@about("listen")
def test_listen_takes_several_addresses(serve, folder, tmp_path):
    path = tmp_path / "sock"
    server = serve("--listen=127.0.0.1:0", "--listen=[::1]:0", f"--listen=unix:{path}", root=folder(SITE))
    urls = re.findall(r"http://\S+", server.stdout)
    assert len(urls) == 2 and f"unix:{path}" in server.stdout
    assert server.get("/").text == "home"
    port = int(re.search(r"\[::1\]:(\d+)", urls[1])[1])
    with galley.Client(("::1", port), family=socket.AF_INET6) as client:
        assert client.get("/").text == "home"
    with galley.Client(str(path)) as client:
        assert client.get("/").text == "home"


def test_the_default_address_is_that_of_the_exercise(run):
    """Row 1: 127.0.0.1:7878."""
    assert config(run)["listen"] == ("127.0.0.1:7878", "default")


@about("index")
def test_index_names_the_file_for_a_folder(serve, folder):
    server = serve("--index=start.htm about.html", root=folder(SITE))
    assert server.get("/").text == "about us"


@about("list")
def test_list_is_off_unless_asked(serve, folder):
    root = folder(SITE)
    assert serve(root=root).get("/sub/").status == 404
    answer = serve("--list", root=root).get("/sub/")
    assert answer.status == 200 and b"a.txt" in answer.body


@about("spa")
def test_spa_answers_pages_with_the_index(serve, folder):
    answer = serve("--spa", root=folder(SITE)).get("/some/page", HTML)
    assert answer.status == 200 and answer.text == "home"


@about("clean-urls")
def test_clean_urls_find_html_files(serve, folder):
    root = folder(SITE)
    assert serve(root=root).get("/about").status == 404
    assert serve("--clean-urls", root=root).get("/about").text == "about us"


@about("not-found")
def test_not_found_names_the_page(serve, folder):
    root = folder(SITE)
    assert serve(root=root).get("/x", HTML).text == "not here"
    assert serve("--not-found=about.html", root=root).get("/x", HTML).text == "about us"
    answer = serve("--not-found=", root=root).get("/x", HTML)
    assert answer.status == 404 and answer.text not in ("not here", "about us")


@about("hidden")
def test_hidden_serves_dotfiles_and_warns_of_secrets(serve, folder):
    root = folder({".env": "KEY=1", ".note": "n"})
    shut = serve(root=root)
    assert shut.get("/.note").status == 404
    shut.wait_output(r"not served: \.env \(holds secrets\)")
    server = serve("--hidden", root=root)
    assert server.get("/.note").text == "n"
    server.wait_output(r"served, be warned: \.env")


@about("no-precompressed")
def test_no_precompressed_ignores_neighbours(serve, folder):
    root = folder({"a.css": "p{}", "a.css.gz": b"\x1f\x8bpacked"})
    os.utime(root / "a.css", (1e9, 1e9))
    wants = {"Accept-Encoding": "gzip"}
    assert serve(root=root).get("/a.css", wants).header("Content-Encoding") == "gzip"
    assert serve("--no-precompressed", root=root).get("/a.css", wants).header("Content-Encoding") is None


@about("compress")
def test_compress_makes_what_a_client_asks_for_unless_it_is_off(serve, folder):
    text = "p { color: red }\n" * 500
    root = folder({"a.css": text})
    wants = {"Accept-Encoding": "gzip"}
    shut = serve("--compress", "off", root=root)
    assert shut.get("/a.css", wants).header("Vary") is None
    server = serve(root=root)
    first = server.get("/a.css", wants)
    assert (first.text, first.header("Content-Encoding"), first.header("Vary")) == (text, None, "Accept-Encoding")
    galley.wait_until(lambda: server.get("/a.css", wants).header("Content-Encoding") == "gzip")
    coded = server.get("/a.css", wants)
    assert gzip.decompress(coded.body).decode() == text
    assert server.get("/a.css").text == text
    assert shut.get("/a.css", wants).header("Content-Encoding") is None


@about("compress-types", "compress-min")
def test_compress_types_and_compress_min_say_what_is_worth_it(serve, folder, run):
    root = folder({"a.css": "p { color: red }\n" * 20, "a.html": "<p>\n" * 500, "a.png": b"not a picture" * 50})
    wants = {"Accept-Encoding": "gzip"}

    def coded(server):
        return {name for name in ("a.css", "a.html", "a.png") if server.get(f"/{name}", wants).header("Vary")}

    assert coded(serve(root=root)) == {"a.html"}
    assert coded(serve("--compress-min=100", root=root)) == {"a.css", "a.html"}
    assert coded(serve("--compress-min=100", "--compress-types=text/css image/*", root=root)) == {"a.css", "a.png"}
    assert coded(serve("--compress-min=100", "--compress-types=usual image/png", root=root)) == {"a.css", "a.html", "a.png"}
    done = run("--compress-types=text/html, text/css", root)
    assert done.returncode == 1 and "'text/html,' is not a media type" in done.stderr, done.stderr


# ---- headers


@about("cors")
def test_cors_with_and_without_origin(serve, folder):
    root = folder(SITE)
    name = "Access-Control-Allow-Origin"
    ask = {"Origin": "https://a.example"}
    assert serve(root=root).get("/", ask).header(name) is None
    assert serve("--cors", root=root).get("/", ask).header(name) == "*"
    assert serve("--cors=https://a.example", root=root).get("/", ask).header(name) == "https://a.example"


@about("header")
def test_headers_are_added(serve, folder):
    answer = serve("--header=X-One: 1", "-H", "X-Two: b c", root=folder(SITE)).get("/")
    assert answer.header("X-One") == "1" and answer.header("X-Two") == "b c"


@pytest.mark.parametrize("line", ["no colon", "X: a\rb", ": x", "Content-Length: 5", "X Y: 1"])
def test_a_bad_header_is_refused_at_the_start(run, folder, line):
    """L19: nothing that splits a response gets into one."""
    done = run("--listen=127.0.0.1:0", f"--header={line}", folder())
    assert done.returncode in (1, 2) and done.stderr.startswith("galley: ") and "\r" not in done.stderr


@about("cache-control")
def test_cache_control_by_pattern(serve, folder):
    server = serve("--cache-control=*.css=max-age=60", "--cache-control=/sub/**=no-store", root=folder(SITE))
    assert server.get("/style.css").header("Cache-Control") == "max-age=60"
    assert server.get("/sub/a.txt").header("Cache-Control") == "no-store"
    assert server.get("/about.html").header("Cache-Control") is None


@about("server-name", "no-server-name")
def test_the_server_header(serve, folder):
    root = folder(SITE)
    assert serve(root=root).get("/").header("Server") == "galley"
    assert serve("--server-name=other", root=root).get("/").header("Server") == "other"
    assert serve("--no-server-name", root=root).get("/").header("Server") is None


# ---- logs


@about("access-log", "log-format")
def test_access_log_formats(serve, folder, tmp_path):
    root = folder(SITE)
    for name, pattern in {
        "dev": r"\d\d:\d\d:\d\d 200 GET /about.html 8 B \d+ ms",
        "combined": r'127\.0\.0\.1 - - \[\S+ \+0000\] "GET /about.html HTTP/(1\.1|2)" 200 8 "-" "me"',
        "json": r'{"time":"\S+Z","peer":"127.0.0.1","method":"GET","target":"/about.html",.*"status":200,"bytes":8,.*}',
    }.items():
        log = tmp_path / name
        server = serve(f"--access-log={log}", f"--log-format={name}", root=root)
        server.get("/about.html", {"User-Agent": "me"})
        server.stop()
        assert re.fullmatch(pattern + "\n", log.read_text()), log.read_text()


def test_the_access_log_is_off_when_nobody_watches(serve, folder):
    server = serve(root=folder(SITE))
    server.get("/about.html")
    server.stop()
    assert "/about.html" not in server.output


def test_a_dash_is_standard_output(serve, folder):
    server = serve("--access-log=-", root=folder(SITE))
    server.get("/about.html")
    server.wait_output("GET /about.html HTTP/")
    assert "about" in server.stdout


@about("log-buffer")
def test_log_buffer_is_taken(serve, folder, tmp_path):
    log = tmp_path / "log"
    server = serve("--log-buffer=1", f"--access-log={log}", root=folder(SITE))
    server.get("/about.html")
    server.stop()
    assert "/about.html" in log.read_text()


@about("log-level")
def test_debug_shows_the_request_head(serve, folder):
    """Row 2."""
    root = folder(SITE)
    server = serve("--log-level=debug", root=root)
    server.get("/about.html", {"X-Mark": "seen"})
    server.wait_output("GET /about.html")
    server.wait_output("(?i)> X-Mark: seen")
    quiet = serve("--log-level=error", root=root)
    quiet.get("/about.html", {"X-Mark": "seen"})
    quiet.stop()
    assert "x-mark" not in quiet.output.lower()


@about("quiet")
def test_quiet_says_nothing(launch, folder, tmp_path):
    path = tmp_path / "sock"
    server = launch([galley.program_path(), "--quiet", f"--listen=unix:{path}", folder(SITE)], ready=False)
    galley.wait_until(lambda: can_connect(path), what="the socket")
    with galley.Client(str(path)) as client:
        assert client.get("/").status == 200
    server.stop()
    assert server.output == ""


# ---- threads and memory


@about("io")
def test_io_is_how_loops_wait(serve, folder):
    chosen = serve("--io=epoll", root=folder(SITE))
    chosen.wait_output(r"event loops wait by epoll\n")
    assert chosen.get("/").status == 200
    assert not any("io_uring" in name for name in chosen.open_files()), "epoll was asked for"
    auto = serve("--io=auto", "--log-level=debug", root=folder(SITE))
    auto.wait_output(r"event loops wait by epoll\n")
    assert auto.get("/").status == 200


def test_io_uring_is_taken_or_the_start_fails_and_says_why(launch, folder):
    server = launch([galley.program_path(), "--io=uring", "--listen=127.0.0.1:0", folder(SITE)], ready=False)
    galley.wait_until(lambda: galley.URL.search(server.output) or server.process.poll() is not None, what="an end")
    if server.process.poll() is None:
        server.wait_ready()
        server.wait_output(r"event loops wait by io_uring\n")
        assert server.get("/").status == 200
        assert any("io_uring" in name for name in server.open_files())
    else:
        assert "event loop (io_uring): " in server.stderr
        server.judge(expect_exit=None)


@about("loops")
@only("plain", because="with TLS each brings a thread for handshakes along, see test_tls.py")
def test_loops_are_threads(serve, folder):
    root = folder(SITE)
    one, three = serve("--loops=1", root=root), serve("--loops=3", root=root)
    assert three.get("/").status == 200
    galley.wait_until(lambda: three.threads() == one.threads() + 2, what="two threads more")


@about("workers")
def test_workers_are_threads(serve, folder):
    root = folder(SITE)
    one, four = serve("--workers=1", root=root), serve("--workers=4", root=root)
    galley.wait_until(lambda: four.threads() == one.threads() + 3, what="three threads more")


@about("file-threads")
def test_file_threads_are_threads(serve, folder):
    root = folder(SITE)
    one, four = serve("--file-threads=1", root=root), serve("--file-threads=4", root=root)
    galley.wait_until(lambda: four.threads() == one.threads() + 3, what="three threads more")


@about("cache-size", "cache-max-file", "etag-max-file", "open-files")
def test_small_caches_change_no_answer(serve, folder):
    big = os.urandom(300_000)
    server = serve("--cache-size=1", "--cache-max-file=10", "--etag-max-file=10", "--open-files=1",
                   root=folder(dict(SITE, **{"a.bin": big, "b.bin": big})))
    for _ in range(3):
        for name in ("/a.bin", "/b.bin"):
            answer = server.get(name)
            assert answer.body == big and answer.header("ETag").startswith("W/")
    assert server.get("/style.css").header("ETag").startswith('"')  # four bytes: hashed


# Options whose effect needs a slow handler, a flood, or is another test's subject: that the value arrives is tested here.
@about("queue", "queue-timeout", "stall-warning", "max-memory", "max-connections", "linger", "linger-bytes",
       "body-min-rate", "send-grace", "send-min-rate", "drain-timeout")
@pytest.mark.parametrize("option, shown", [
    ("queue=7", "7"), ("queue-timeout=7s", "7s"), ("queue-timeout=off", "off"), ("stall-warning=70ms", "70ms"),
    ("max-memory=7M", "7M"), ("max-connections=77", "77"), ("linger=700ms", "700ms"), ("linger-bytes=7k", "7k"),
    ("body-min-rate=7k", "7k"), ("send-grace=7s", "7s"), ("send-min-rate=off", "off"), ("drain-timeout=7m", "7m"),
])
def test_a_value_arrives(run, serve, folder, option, shown):
    assert config(run, f"--{option}")[option.split("=")[0]] == (shown, "command line")
    assert serve(f"--{option}", root=folder(SITE)).get("/").status == 200


# ---- limits


@about("max-target")
def test_max_target_is_414(serve, folder):
    server = serve("--max-target=100", root=folder(SITE))
    assert server.get("/?" + "x" * 98).status == 200
    assert server.get("/?" + "x" * 99).status == 414


@about("max-head")
def test_max_head_is_431(serve, folder):
    server = serve("--max-head=1k", root=folder(SITE))
    assert server.get("/", {"X": "y" * 900}).status == 200
    assert server.get("/", {"X": "y" * 1100}).status == 431


@about("max-fields")
def test_max_fields_is_431(serve, folder, way):
    server = serve("--max-fields=5", root=folder(SITE))
    assert server.get("/", [(f"X{i}", "y") for i in range(4)]).status == 200
    over = 6 if way == "h2" else 5  # Host is :authority there, which is no field
    assert server.get("/", [(f"X{i}", "y") for i in range(over)]).status == 431


@only("plain", because="it speaks HTTP/2 itself")
@about("max-streams")
def test_the_number_of_streams_is_told(serve, folder):
    """RFC 9113 §6.5.2: with the first SETTINGS; what comes beyond it is tested in tests/unit/h2."""
    server = serve("--max-streams=3", root=folder(SITE))
    with h2_client.connect(server) as client:
        assert client.get("/").status == 200
        assert client.h2.remote_settings.max_concurrent_streams == 3


@about("max-body")
def test_over_max_body_nothing_more_is_read(serve, folder):
    """A file does not want the body: within the limit it is read and forgotten, over it the connection ends."""
    server = serve("--max-body=1k", root=folder(SITE))
    with server.connect() as client:
        assert client.get("/", body=b"x" * 1024).header("Connection") is None
        client.expect_end_after(client.get("/", body=b"x" * 1025))


@about("max-requests-per-connection")
def test_max_requests_per_connection_closes(serve, folder):
    with serve("--max-requests-per-connection=2", root=folder(SITE)).connect() as client:
        assert client.get("/").header("Connection") != "close"
        assert client.get("/").header("Connection") == "close"
        client.expect_closed()


@only("http1", because="HTTP/2 has whole heads only")
@about("head-timeout")
def test_head_timeout_is_408(serve, folder):
    with serve("--head-timeout=200ms", root=folder(SITE)).connect() as client:
        client.send(b"GET / HTTP/1.1\r\n")
        assert client.read_response().status == 408
        client.expect_closed()


@about("idle-timeout")
def test_idle_timeout_closes(serve, folder):
    with serve("--idle-timeout=200ms", root=folder(SITE)).connect() as client:
        assert client.get("/").status == 200
        client.expect_closed()


@about("body-grace")
def test_a_body_that_stalls_is_408_after_its_grace(serve, folder):
    with serve("--body-grace=200ms", root=folder(SITE)).connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
        answer = client.read_response()
        if answer.status == 200:  # a file does not wait for a body; then the connection ends
            client.expect_closed(allow_reset=True)
        else:
            assert answer.status == 408


# ---- the end


@about("max-requests")
def test_max_requests_serves_two_and_stops(serve, folder):
    """Row 14."""
    server = serve("--max-requests=2", root=folder(SITE))
    assert server.get("/").status == 200
    assert server.get("/").status == 200
    assert server.wait() == 0
    with pytest.raises(OSError):
        server.connect()


# ---- about galley


@about("version")
def test_version(run):
    done = run("--version")
    assert done.returncode == 0 and re.fullmatch(r"galley \d+\.\d+\.\d+\n", done.stdout)
    assert run("-V").stdout == done.stdout


@about("help")
def test_help_and_its_forms_come_from_one_table(run):
    text = run("--help")
    assert text.returncode == 0 and text.stderr == ""
    names = re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)", text.stdout, re.M)
    assert len(names) > 40 and len(set(names)) == len(names)
    page = run("--help=man").stdout.replace("\\-", "-")
    table = run("--help=markdown").stdout
    completion = run("--help=bash").stdout
    for name in names:
        assert re.search(rf"^\.TP\n\\fB.*--{name}\b", page, re.M), name
        assert f"--{name}" in table and f"--{name}" in completion, name
    assert run("-h").stdout == text.stdout
    assert run("--help=html").returncode == 2


def test_the_completion_for_bash_completes(run, tmp_path):
    script = tmp_path / "galley.bash"
    script.write_text(run("--help=bash").stdout)
    ask = f"source {script}; COMP_WORDS=(galley --acc); COMP_CWORD=1; _galley 2>/dev/null; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
    assert done.stdout == "--access-log=\n" and done.stderr == ""


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_manual_page_is_clean_roff(run):
    done = subprocess.run(["groff", "-man", "-ww", "-z"], input=run("--help=man").stdout, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


def test_every_option_has_a_test(run):
    names = set(re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)", run("--help").stdout, re.M))
    tested = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for options in re.findall(r"^@about\((.*?)\)$", path.read_text(), re.M | re.S):
            tested.update(re.findall(r'"([^"]+)"', options))
    assert names - tested == set()
    assert tested - names == set()


def test_the_built_manual_page_and_the_page_in_docs_are_current(run):
    page = galley.program_path().parent / "galley.1"
    if page.exists():
        assert page.read_text() == run("--help=man").stdout
    assert (galley.ROOT / "docs/options.md").read_text() == run("--help=markdown").stdout


@about("print-config")
def test_print_config_says_where_values_come_from(run, folder):
    root = folder()
    rows = config(run, "--loops=2", "--max-head=4096", root)
    assert rows["loops"] == ("2", "command line")
    assert rows["max-head"] == ("4k", "command line")
    assert rows["directory"] == (str(root), "command line")
    assert rows["head-timeout"] == ("10s", "default")
    assert rows["access-log"] == ("off", "where it runs")
    assert config(run)["loops"][1] == "this machine"


@about("doctor")
def test_doctor_tells_what_would_be_served(run, folder):
    done = run("--doctor", "--listen=127.0.0.1:0", folder(dict(SITE, **{".git/config": "x"})))
    assert done.returncode == 0, done.stdout
    for word in ("descriptors", "openat2", "inotify", "CPUs", "found 5 files", "index.html", "not served: .git",
                 "127.0.0.1:0: good", "head-timeout", "ready to serve"):
        assert word in done.stdout, word


@about("doctor")
def test_doctor_says_where_memory_can_go(run, folder):
    """Numbers follow the options, and no log file is made."""
    log = folder() / "made.log"
    done = run("--doctor", "--listen=127.0.0.1:0", "--cache-size=8M", "--max-connections=1000", "--loops=3",
               f"--access-log={log}", folder())
    assert done.returncode == 0 and not os.path.exists(log)
    for line in ("contents of files (--cache-size)", "3 loops and what they keep", "1000 connections, ",
                 "access log (--log-buffer", "must fit", "at worst"):
        assert line in done.stdout, line


def test_doctor_finds_what_is_wrong(run, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("--doctor", f"--listen=127.0.0.1:{taken.getsockname()[1]}", folder())
    assert done.returncode == 1 and "Address already in use" in done.stdout and "cannot serve" in done.stdout
    done = run("--doctor", "--listen=127.0.0.1:0", "/nowhere/at/all")
    assert done.returncode == 1 and "No such file or directory" in done.stdout


# ---- lines of the log are lines


def test_hostile_bytes_never_break_a_line(serve, folder, tmp_path, way):
    """L19: whatever stands in target, agent and referer, one request is one line, and a JSON object."""
    import random

    source = random.Random(7)
    log = tmp_path / "log"
    server = serve(f"--access-log={log}", "--log-format=json", "--loops=1", root=folder(SITE))
    allowed = [c for c in range(256) if c not in b"\r\n\0" and (c >= 32 or c == 9) and c != 127]
    sent = []
    count = 200 if way == "http" else 50  # a connection each
    for _ in range(count):
        agent = bytes(source.choices(allowed, k=source.randrange(1, 300)))
        referer = b'"},{"status":999,"x":"' + bytes(source.choices(allowed, k=20))
        escaped = "".join(f"%{source.randrange(1, 256):02x}" for _ in range(20))
        raw = b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: %s\r\nReferer: %s\r\n\r\n"
        server.exchange(raw % (escaped.encode(), agent, referer))
        sent.append("/" + escaped)
    junks = () if way == "h2" else (b"\x16\x03\x01\0\0\x1b[2J\r\n\r\n", b'"\\ HTTP/1.1\r\n\r\n', b"GET \xff\x80 HTTP/1.1\r\n\r\n")
    for junk in junks:
        server.exchange(junk)
    server.stop()
    lines = log.read_bytes().decode("utf-8").split("\n")  # strict: always UTF-8
    assert lines.pop() == ""
    records = [json.loads(line) for line in lines]
    assert len(records) == count + len(junks)
    assert [record["target"] for record in records[:count]] == sent
    assert all(record["status"] in (200, 400, 404) for record in records)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for line in lines for c in line)


def test_two_hundred_keep_alive_requests_are_two_hundred_lines(serve, folder, tmp_path):
    log = tmp_path / "log"
    server = serve(f"--access-log={log}", "--log-format=json", root=folder(SITE))
    with server.connect() as client:
        for i in range(200):
            client.send(galley.request_bytes(f"/?{i}"))
        for i in range(200):
            client.read_response()
    server.stop()
    assert [json.loads(line)["target"] for line in log.read_text().splitlines()] == [f"/?{i}" for i in range(200)]


def test_a_download_that_is_cut_is_marked(serve, folder, tmp_path):
    log = tmp_path / "log"
    server = serve(f"--access-log={log}", "--log-format=json", root=folder({"big": b"x" * (32 << 20)}))
    with server.connect(receive_buffer=4096) as client:
        client.send(galley.request_bytes("/big"))
        client.read_bytes(1000)
        client.reset()
    galley.wait_until(lambda: "big" in log.read_text(), what="the line")
    record = json.loads(log.read_text())
    assert record["aborted"] is True and record["bytes"] < 32 << 20 and record["target"] == "/big"
