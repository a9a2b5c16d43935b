"""TLS and HTTP/2 as tools that everybody knows see them: curl, openssl s_client, nghttp, h2load and, in the long form,
testssl. What a tool is not installed for is skipped, but not where CI is set."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest

import galley
import h2_client
import secure
from lab import FULL

TLS = "--listen=127.0.0.1:0,tls"
PAGE = b"0123456789abcdef" * 2000
SITE = {"index.html": "home", "page.txt": PAGE}
NAMES = ("localhost", "*.wild.test")


class Papers:
    """An authority; an ECDSA and an RSA certificate for the same names, one for another name, one for a client."""

    def __init__(self, folder):
        self.ca = secure.Authority(folder)
        self.ec, self.rsa = self.ca.issue(*NAMES), self.ca.issue(*NAMES, rsa=True)
        self.other, self.person = self.ca.issue("other.test"), self.ca.issue("somebody")
        (folder / "stranger").mkdir()
        self.stranger = secure.Authority(folder / "stranger").issue("somebody")


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def start(launch, folder):
    """start(pair, ..., options=[...]) -> the program with TLS, by these certificates."""

    def start(*pairs, options=(), root=None):
        files = [f"--tls-cert={cert}" for cert, _ in pairs] + [f"--tls-key={key}" for _, key in pairs]
        return launch([galley.program_path(), TLS, *files, *map(str, options), root or folder(SITE)])

    return start


def tool(name, *arguments, send=b"", wanted=0, timeout=60):
    """What a tool prints, both outputs together. wanted: its exit code; None: any."""
    if not shutil.which(name):
        assert "CI" not in os.environ, f"{name} is missing, which is shown to work with galley here"
        pytest.skip(f"{name} is missing: run `make setup`")
    command = [name, *map(str, arguments)]
    done = subprocess.run(
        command, input=send, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout * galley.SLOW
    )
    text = done.stdout.decode("utf-8", "replace")
    assert wanted is None or done.returncode == wanted, f"{' '.join(command)}: exit {done.returncode}\n{text}"
    return text


def lead(server):
    """Clients resolve any name to the server."""
    return f"::{server.host}:{server.port}"


# ---- curl


def curl(server, papers, *arguments, path="/page.txt", name="localhost", to=os.devnull, **how):
    """"STATUS VERSION" of an answer over TLS."""
    return tool(
        "curl", "-sS", "--noproxy", "*", "--connect-to", lead(server), "--cacert", papers.ca.cert, "-o", to,
        "-w", "%{http_code} %{http_version} %{size_download}\n", *arguments, f"https://{name}:{server.port}{path}", **how
    )  # fmt: skip


def test_curl_hears_an_answer_that_comes_before_its_body_is_sent(start, papers, tmp_path):
    """RFC 9113 §8.1: a reset beside the answer would make it lose that."""
    server = start(papers.ec)
    body = tmp_path / "body"
    for size in (8 * 1024, 1024 * 1024):
        body.write_bytes(bytes(size))
        for _ in range(3):
            assert curl(server, papers, "--data-binary", f"@{body}").startswith("405 2")


@pytest.mark.parametrize("version", [("--tlsv1.2", "--tls-max", "1.2"), ("--tlsv1.3",)], ids=["tls1.2", "tls1.3"])
def test_curl_gets_pages_over_both_versions_of_both(start, papers, version):
    server = start(papers.ec)
    assert curl(server, papers, *version, "--http1.1") == f"200 1.1 {len(PAGE)}\n"
    assert curl(server, papers, *version, "--http2") == f"200 2 {len(PAGE)}\n"
    assert curl(server, papers, *version, name="a.wild.test") == f"200 2 {len(PAGE)}\n"
    assert curl(server, papers, *version, "-I") == "200 2 0\n"
    assert curl(server, papers, *version, "-r", "5-14") == "206 2 10\n"
    assert curl(server, papers, *version, path="/none").startswith("404 2")
    assert "SSL" in curl(server, papers, *version, name="elsewhere.test", wanted=60)  # the name is checked by the client


def test_curl_speaks_http_2_in_clear_when_it_knows(launch, folder):
    server = launch([galley.program_path(), "--listen=127.0.0.1:0", folder(SITE)])
    ask = ["-sS", "--noproxy", "*", "-o", os.devnull, "-w", "%{http_code} %{http_version}"]
    url = f"http://{server.host}:{server.port}/page.txt"
    assert tool("curl", *ask, "--http2-prior-knowledge", url) == "200 2"
    assert tool("curl", *ask, "--http2", url) == "200 1.1"  # RFC 9113 §3.1: Upgrade is over


@pytest.mark.parametrize("version", [("--tlsv1.2", "--tls-max", "1.2"), ("--tlsv1.3",)], ids=["tls1.2", "tls1.3"])
def test_curl_shows_certificates_of_its_own(start, papers, version):
    server = start(papers.ec, options=["--tls-client=required", f"--tls-client-ca={papers.ca.cert}"])
    good, bad = (["--cert", pair[0], "--key", pair[1]] for pair in (papers.person, papers.stranger))
    for protocol in ("--http1.1", "--http2"):
        assert curl(server, papers, *version, protocol, *good).startswith("200 ")
        for shown in (bad, []):
            assert re.search(r"alert|certificate|SSL", curl(server, papers, *version, protocol, *shown, wanted=None))
    optional = start(papers.ec, options=["--tls-client=optional", f"--tls-client-ca={papers.ca.cert}"])
    assert curl(optional, papers, *version).startswith("200 ")
    assert curl(optional, papers, *version, *good).startswith("200 ")
    assert not curl(optional, papers, *version, *bad, wanted=None).startswith("200 ")


def test_curl_unpacks_what_was_compressed_for_it(start, papers, folder, tmp_path):
    """RFC 9110 §8.4: a file's compressed form is there a moment after somebody has asked for it."""
    text = "".join(f"line {i * i}\n" for i in range(5000))
    server, got = start(papers.ec, root=folder({"page.txt": text})), tmp_path / "got"

    def ask(*arguments):
        shown = curl(server, papers, "-D", "-", *arguments, to=got).lower()
        return re.findall(r"^content-encoding: (\w+)", shown, re.M)

    for protocol in ("--http1.1", "--http2"):
        galley.wait_until(lambda: ask(protocol, "--compressed") == ["br"], what="br")
        assert got.read_text() == text
        for coding in ("gzip", "zstd"):
            accepts = ["-H", f"Accept-Encoding: {coding}", "--compressed"]
            galley.wait_until(lambda: ask(protocol, *accepts) == [coding], what=coding)
            assert got.read_text() == text
        assert ask(protocol) == [] and got.read_text() == text


def test_curl_comes_as_a_proxy_does(start, papers):
    """The PROXY protocol stands before TLS."""
    server = start(papers.ec, options=["--proxy-from=127.0.0.1"])
    for protocol in ("--http1.1", "--http2"):
        assert curl(server, papers, protocol, "--haproxy-protocol").startswith("200 ")
        assert not curl(server, papers, protocol, wanted=None).startswith("200 ")
    without = start(papers.ec)
    assert not curl(without, papers, "--haproxy-protocol", wanted=None).startswith("200 ")


def staple(papers, pair, folder):
    """-> (the certificate with its issuer, the authority's word that it is good)."""
    cert = pair[0]
    serial = secure.openssl("x509", "-in", cert, "-noout", "-serial").strip().partition("=")[2]
    index, response, chain = (folder / name for name in ("index.txt", "staple.der", "chain.pem"))
    index.write_text(f"V\t400101000000Z\t\t{serial}\tunknown\t/CN=x\n")
    ca = ["-CA", papers.ca.cert, "-rsigner", papers.ca.cert, "-rkey", papers.ca.key, "-issuer", papers.ca.cert]
    secure.openssl("ocsp", "-index", index, *ca, "-cert", cert, "-ndays", 2, "-respout", response, "-no_nonce")
    chain.write_bytes(cert.read_bytes() + papers.ca.cert.read_bytes())
    return chain, response


def test_the_staple_satisfies_who_asks_for_it(start, papers, tmp_path):
    """RFC 6066 §8."""
    chain, response = staple(papers, papers.ec, tmp_path)
    server = start((chain, papers.ec[1]), options=[f"--tls-ocsp={response}"])
    for version in (("--tls-max", "1.2"), ("--tlsv1.3",)):
        assert curl(server, papers, "--cert-status", *version).startswith("200 2")
    said = s_client(server, papers, "-status")
    assert "OCSP Response Status: successful" in said and "Cert Status: good" in said
    without = start((chain, papers.ec[1]))
    curl(without, papers, "--cert-status", wanted=91)
    assert "OCSP response: no response sent" in s_client(without, papers, "-status")


# ---- openssl s_client


def s_client(server, papers, *arguments, name="localhost", send=b"", **how):
    server_name = ["-servername", name] if name else []
    return tool(
        "openssl", "s_client", "-connect", f"{server.host}:{server.port}", "-CAfile", papers.ca.cert, *server_name,
        *arguments, send=send, **how
    )  # fmt: skip


def test_s_client_gets_the_certificate_that_it_can_check(start, papers):
    server = start(papers.ec, papers.rsa, papers.other)
    for version in ("-tls1_2", "-tls1_3"):
        said = s_client(server, papers, version, "-sigalgs", "rsa_pss_rsae_sha256", "-verify_return_error")
        assert "Peer signature type: RSA-PSS" in said and "public key is 2048 bit" in said
        said = s_client(server, papers, version, "-sigalgs", "ecdsa_secp256r1_sha256", "-verify_return_error")
        assert "Peer signature type: ECDSA" in said and "public key is 256 bit" in said
        for name, subject in (("other.test", "other.test"), ("b.wild.test", "localhost"), ("OTHER.test", "other.test"),
                              ("a.b.wild.test", "localhost"), (None, "localhost")):  # fmt: skip
            arguments = [] if name else ["-noservername"]
            assert f"subject=CN = {subject}\n" in s_client(server, papers, version, *arguments, name=name)


def test_s_client_is_told_the_protocol(start, papers):
    """RFC 7301 §3.2, RFC 9325 §3.1."""
    server = start(papers.ec)
    for offered, chosen in (("h2", "h2"), ("http/1.1", "http/1.1"), ("http/1.1,h2", "h2")):
        assert f"ALPN protocol: {chosen}\n" in s_client(server, papers, "-alpn", offered)
    assert "alert no application protocol" in s_client(server, papers, "-alpn", "spdy/3", wanted=1)
    assert "No ALPN negotiated" in s_client(server, papers)
    for old in ("-tls1", "-tls1_1"):
        said = s_client(server, papers, old, "-cipher", "ALL:@SECLEVEL=0", wanted=1)
        assert "alert protocol version" in said


def reused(said):
    """For each connection of s_client's: was its session resumed?"""
    return [word == "Reused" for word in re.findall(r"^(New|Reused), TLS", said, re.M)]


ANSWERED = b"GET / HTTP/1.0\r\n\r\n"  # with -ign_eof: until the server closes, with the tickets of TLS 1.3 before that


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client_resumes_with_the_host_that_gave_the_ticket(start, papers, tmp_path, version):
    server, session = start(papers.ec), tmp_path / "session.pem"
    said = s_client(server, papers, version, "-ign_eof", "-sess_out", session, send=ANSWERED)
    assert reused(said) == [False] and "home" in said
    again = ["-ign_eof", "-sess_in", session]
    said = s_client(server, papers, version, *again, send=ANSWERED)
    assert reused(said) == [True] and "home" in said
    assert reused(s_client(server, papers, version, *again, name="a.wild.test", send=ANSWERED)) == [False]
    assert reused(s_client(start(papers.ec), papers, version, *again, send=ANSWERED)) == [False]
    if version == "-tls1_2":
        assert reused(s_client(server, papers, version, "-reconnect")) == [False] + [True] * 5


def test_s_client_may_not_renegotiate(start, papers):
    """RFC 9113 §9.2.1."""
    server = start(papers.ec)
    said = s_client(server, papers, "-tls1_2", send=b"R\n", wanted=None)
    assert "RENEGOTIATING" in said and "no renegotiation" in said
    assert "Secure Renegotiation IS supported" in said  # RFC 5746: said, so that nobody splices one in


def test_s_client_is_allowed_no_early_data(start, papers, tmp_path):
    """RFC 8446 §8, §4.6.1."""
    server, session, early = start(papers.ec), tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(ANSWERED)
    s_client(server, papers, "-tls1_3", "-ign_eof", "-sess_out", session, send=ANSWERED)
    said = s_client(server, papers, "-tls1_3", "-ign_eof", "-sess_in", session, "-early_data", early, send=ANSWERED)
    assert reused(said) == [True] and "Early data was not sent" in said and "Max Early Data: 0" in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client_hears_close_notify(start, papers, version):
    """RFC 8446 §6.1: the end is said, so that nobody can make one."""
    said = s_client(start(papers.ec), papers, version, "-ign_eof", "-msg", send=ANSWERED)
    assert re.search(r"<<< TLS 1\.[23], Alert \[length 0002\], warning close_notify", said)
    assert "home" in said and "unexpected eof" not in said


# ---- nghttp, h2load


def test_nghttp_finds_nothing_to_complain_about(start, papers, program_of_lab):
    server = start(papers.ec)
    base = f"https://localhost:{server.port}"
    said = tool("nghttp", "-v", "-n", f"{base}/", f"{base}/page.txt", f"{base}/none")
    assert "The negotiated protocol: h2" in said and len(re.findall(r":status: 200", said)) == 2
    assert ":status: 404" in said and "SETTINGS_NO_RFC7540_PRIORITIES(0x09):1" in said
    assert not re.search(r"recv RST_STREAM|recv GOAWAY", said)
    # A body with trailers, which handlers do not see (RFC 9110 §6.5.1), to a server in clear.
    body = program_of_lab.work / "body"
    body.write_bytes(PAGE)
    url = f"http://{program_of_lab.host}:{program_of_lab.port}/fields"
    said = tool("nghttp", "-v", "-d", body, "--trailer", "x-sum: 1", "-H", ":method: POST", url)
    assert f"body: {len(PAGE)}\n" in said and "x-sum: 1" in said.partition(":status: 200")[0]
    assert "x-sum: 1" not in said.partition(":status: 200")[2] and "recv RST_STREAM" not in said


@pytest.fixture
def program_of_lab(launch, tmp_path):
    server = launch([galley.built("programs", "lab_server")])
    server.work = tmp_path
    return server


def h2load(*arguments):
    """{"succeeded": N, "failed": N, ...}"""
    said = tool("h2load", *arguments)
    counts = re.search(r"^requests: (.*)$", said, re.M)[1]
    return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", counts)}


def test_h2load_gets_every_answer(start, launch, papers, folder):
    root, all_of_it = folder(SITE), ["-n", "600", "-c", "6"]
    tls = start(papers.ec, root=root)
    clear = launch([galley.program_path(), "--listen=127.0.0.1:0", root])
    for arguments in (
        ["-m", "20", f"https://localhost:{tls.port}/page.txt"],
        ["-m", "1", f"https://localhost:{tls.port}/"],
        ["--h1", f"https://localhost:{tls.port}/page.txt"],
        ["-m", "20", f"http://{clear.host}:{clear.port}/page.txt"],
        ["--h1", f"http://{clear.host}:{clear.port}/page.txt"],
    ):
        counts = h2load(*all_of_it, *arguments)
        assert (counts["succeeded"], counts["failed"], counts["errored"]) == (600, 0, 0), arguments


def test_no_request_of_h2load_fails_while_certificates_are_swapped(start, papers, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(papers.ec[0].read_bytes() + papers.ec[1].read_bytes())
    server, runs, has_ended = start((both, both)), [], threading.Event()

    def load():
        while not has_ended.is_set():
            runs.append(h2load("-n", "200", "-c", "20", "-m", "5", f"https://localhost:{server.port}/"))

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for pair in (papers.rsa, papers.other, papers.ec, papers.rsa):
            count = len(runs)
            (tmp_path / "new").write_bytes(pair[0].read_bytes() + pair[1].read_bytes())
            os.replace(tmp_path / "new", both)
            wanted = secure.der_of(pair[0])
            galley.wait_until(lambda: secure.shown(server) == wanted, 20, "the new certificate")
            galley.wait_until(lambda: len(runs) > count or not thread.is_alive(), 20, "some load")
    finally:
        has_ended.set()
        thread.join()
    assert len(runs) >= 4
    assert all(run["succeeded"] == 200 and not run["failed"] and not run["errored"] for run in runs)


# ---- a stop under load


class Asker(h2_client.Http2Client):
    """Asks on and on, some streams at once, until it is told of the end; python3-h2 is not told, for it would hear
    nothing more, though streams go on."""

    GOAWAY, WINDOW = 7, 10

    def __init__(self, sock):
        self.raw = b""
        super().__init__(sock)

    def receive(self):
        data = self.sock.recv(h2_client.READ_BYTES)
        self.raw += data
        while len(self.raw) >= 9 and len(self.raw) >= (size := 9 + int.from_bytes(self.raw[:3], "big")):
            frame, self.raw = self.raw[:size], self.raw[size:]
            if frame[3] == self.GOAWAY:
                self.goaways.append((int.from_bytes(frame[13:17], "big"), int.from_bytes(frame[9:13], "big")))
                continue
            for event in self.h2.receive_data(frame):
                self.take(event)
        if data:
            self.flush()
        return bool(data)

    def run(self, asked):
        open_streams = []
        try:
            while self.receive():
                open_streams = [stream for stream in open_streams if not self.answers[stream].is_ended]
                while not self.goaways and len(open_streams) < self.WINDOW:
                    open_streams.append(self.request("/page.txt"))
                    asked.set()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it wrote when all had been said; what counts is what came before


@pytest.mark.parametrize("over", ["tls", "clear"])
def test_a_stop_under_load_fails_no_request_that_was_accepted(start, launch, papers, folder, over):
    """RFC 9113 §6.8: what is below the last stream of the last GOAWAY is answered whole; the rest may be asked again."""
    if over == "tls":
        server = start(papers.ec)
        socks = [secure.wrapped((server.host, server.port), alpn=("h2",)) for _ in range(4)]
    else:
        server = launch([galley.program_path(), "--listen=127.0.0.1:0", folder(SITE)])
        socks = [server.connect().socket for _ in range(4)]
    clients, asked = [Asker(sock) for sock in socks], [threading.Event() for _ in socks]
    threads = [threading.Thread(target=client.run, args=(event,)) for client, event in zip(clients, asked)]
    for thread in threads:
        thread.start()
    assert all(event.wait(20 * galley.SLOW) for event in asked)
    galley.wait_until(lambda: all(len(client.answers) > 40 for client in clients), 20, "load")
    server.signal(signal.SIGTERM)
    for thread in threads:
        thread.join(30 * galley.SLOW)
    assert server.wait() == 0 and not any(thread.is_alive() for thread in threads)
    for client in clients:
        client.sock.close()
        assert client.goaways[0] == (0, 2**31 - 1) and all(code == 0 for code, _ in client.goaways)
        last = client.goaways[-1][1]
        accepted = [answer for stream, answer in client.answers.items() if stream <= last]
        assert len(accepted) > 40
        assert all(answer.is_ended and answer.status == 200 and answer.body == PAGE for answer in accepted)


def test_a_stop_under_h2load_cuts_nothing(start, papers, folder, tmp_path):
    """h2load lets go of what it has asked for when it hears of the end; the server says by its exit code whether it cut
    anything, and no answer was another than 200."""
    log, said = tmp_path / "log", []
    server = start(papers.ec, options=[f"--access-log={log}", "--log-format=combined"])
    url = f"https://localhost:{server.port}/page.txt"
    thread = threading.Thread(target=lambda: said.append(tool("h2load", "-n", "1000000", "-c", "4", "-m", "10", url)))
    thread.start()
    try:
        galley.wait_until(lambda: said or log.exists() and log.read_bytes().count(b"\n") > 200, 20, "load")
        server.signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        thread.join(60 * galley.SLOW)
    codes = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", said[0])
    assert codes and int(codes[1]) > 100, said[0]
    assert set(re.findall(r'" (\d{3}) \d+ "', log.read_text())) == {"200"}


# ---- files that cannot be used


@pytest.fixture(scope="module")
def bad_files(papers, tmp_path_factory):
    """Every kind of file that is no certificate or key, by name."""
    here = tmp_path_factory.mktemp("bad")
    cert, key = papers.ec
    shutil.copy(cert, here / "good.pem"), shutil.copy(key, here / "good.key")
    for name in ("empty.pem", "empty.key"):
        (here / name).write_bytes(b"")
    (here / "folder.pem").mkdir(), (here / "folder.key").mkdir()
    secure.openssl("x509", "-in", cert, "-outform", "DER", "-out", here / "der.pem")
    secure.openssl("pkey", "-in", key, "-outform", "DER", "-out", here / "der.key")
    secure.openssl("ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", here / "locked.key")
    secure.openssl("pkcs8", "-topk8", "-in", key, "-v2", "aes256", "-passout", "pass:x", "-out", here / "locked8.key")
    shutil.copy(papers.rsa[1], here / "other.key")
    for name in ("hidden.pem", "hidden.key"):
        shutil.copy(here / f"good{name[-4:]}", here / name)
        (here / name).chmod(0)
    for name, begin, end in (("expired", "20200101", "20210101"), ("future", "20400101", "20410101")):
        dated(here, papers, name, begin, end)
    return here


def dated(here, papers, name, begin, end):
    """A certificate for other days, by the only command that can choose them."""
    (here / "index.txt").write_text(""), (here / "serial").write_text("01\n")
    (here / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={here}/index.txt\nserial={here}/serial\nnew_certs_dir={here}\n"
        f"certificate={papers.ca.cert}\nprivate_key={papers.ca.key}\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n"
        "[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:localhost\n"
    )
    secure.openssl("req", "-new", "-key", papers.ec[1], "-subj", "/CN=localhost", "-out", here / "request.csr")
    days = ["-startdate", f"{begin}000000Z", "-enddate", f"{end}000000Z"]
    secure.openssl("ca", "-batch", "-config", here / "ca.cnf", "-in", here / "request.csr", *days, "-notext", "-out",
                   here / f"{name}.pem")


@pytest.mark.parametrize(
    "cert, key, sentence",
    [
        ("none.pem", "good.key", "certificate {}/none.pem: No such file or directory"),
        ("good.pem", "none.key", "key {}/none.key: No such file or directory"),
        ("hidden.pem", "good.key", "certificate {}/hidden.pem: Permission denied"),
        ("good.pem", "hidden.key", "key {}/hidden.key: Permission denied"),
        ("good.pem", "other.key", "key {}/other.key: not the key of certificate {}/good.pem"),
        ("good.pem", "locked.key", "key {}/locked.key: encrypted; it must be in the clear"),
        ("good.pem", "locked8.key", "key {}/locked8.key: encrypted; it must be in the clear"),
        ("expired.pem", "good.key", "certificate {}/expired.pem: expired on 2021-01-01 00:00:00 UTC"),
        ("future.pem", "good.key", "certificate {}/future.pem: is not valid before 2040-01-01 00:00:00 UTC"),
        ("folder.pem", "good.key", "certificate {}/folder.pem: not a regular file"),
        ("good.pem", "folder.key", "key {}/folder.key: not a regular file"),
        ("empty.pem", "good.key", "certificate {}/empty.pem: no PEM certificate in it"),
        ("good.pem", "empty.key", "key {}/empty.key: no PEM private key in it"),
        ("der.pem", "good.key", "certificate {}/der.pem: no PEM certificate in it; it looks like DER"),
        ("good.pem", "der.key", "key {}/der.key: no PEM private key in it; it looks like DER"),
        ("good.key", "good.key", "certificate {}/good.key: no PEM certificate in it"),
        ("good.pem", "good.pem", "key {}/good.pem: no PEM private key in it"),
        ("good.pem", None, "key {}/good.pem: no PEM private key in it"),
    ],
)  # fmt: skip
def test_a_start_is_refused_with_one_sentence_that_names_the_file(bad_files, folder, cert, key, sentence):
    command = [galley.program_path(), TLS, f"--tls-cert={bad_files / cert}", folder(SITE)]
    if key:
        command.insert(2, f"--tls-key={bad_files / key}")
    if os.geteuid() == 0:  # who may read everything may not now
        assert shutil.which("setpriv")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20 * galley.SLOW)
    wanted = f"galley: {sentence.replace('{}', str(bad_files))}"
    assert done.returncode == 1 and done.stderr.startswith(wanted) and done.stderr.count("\n") == 1, done.stderr


# ---- testssl


# What a laboratory cannot have: none so far. {"id of a finding": "why"}
TESTSSL_ALLOWED = {}


@pytest.mark.once
@pytest.mark.skipif(not FULL, reason="takes minutes, and gives up early on a busy machine: GALLEY_TEST_FULL=1")
def test_testssl_finds_nothing(start, papers, tmp_path):
    """Everything it has; what is LOW or worse is told. Its version in Debian 12 (3.0) gives no grade."""
    pairs = [laboratory_certificate(papers, tmp_path, kind) for kind in ("ec", "rsa:2048")]
    server, report = start(*pairs, options=["--hsts"]), tmp_path / "report.json"
    command = ["--quiet", "--color", "0", "--warnings", "off", "--add-ca", papers.ca.cert, "--nodns", "none",
               "--ip", server.host, "--jsonfile", report, f"localhost:{server.port}"]  # fmt: skip
    said = tool("testssl", *command, wanted=None, timeout=600)
    findings = json.loads(report.read_text())
    assert len(findings) > 100, said
    found = {finding["id"]: finding for finding in findings}
    assert "h2" in found["ALPN_HTTP2"]["finding"] and found["TLS1_3"]["severity"] == "OK"
    bad = [finding for finding in findings if finding["severity"] not in ("OK", "INFO", "DEBUG")]
    assert [finding for finding in bad if finding["id"] not in TESTSSL_ALLOWED] == []


def laboratory_certificate(papers, folder, kind):
    """As an authority of the web would make it, with a place for revocations."""
    name = kind.partition(":")[0]
    key, request, cert, more = (folder / f"{name}.{end}" for end in ("key", "csr", "pem", "cnf"))
    how = [kind] if name == "rsa" else [kind, "-pkeyopt", "ec_paramgen_curve:P-256"]
    more.write_text(
        "subjectAltName=DNS:localhost\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
        "basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\n"
        "crlDistributionPoints=URI:http://crl.galley.test/root.crl\n"
    )
    secure.openssl("req", "-newkey", *how, "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    secure.openssl("x509", "-req", "-in", request, "-CA", papers.ca.cert, "-CAkey", papers.ca.key, "-CAcreateserial",
                   "-days", 90, "-extfile", more, "-out", cert)  # fmt: skip
    return cert, key
