"""The program with TLS: certificates by name, swapped while it serves, refused with a sentence; the options about it."""

import os
import signal
import ssl
import threading

import pytest

import galley
import secure
from lab import about

SITE = {"index.html": "home", "big.bin": b"0123456789abcdef" * 65536}
TLS = "--listen=127.0.0.1:0,tls"


@pytest.fixture
def ca(tmp_path):
    return secure.Authority(tmp_path)


def replace(path, new):
    """As who renews certificates does: write aside, rename."""
    aside = path.with_suffix(".new")
    aside.write_bytes(new.read_bytes())
    os.replace(aside, path)


# ---- serving


@about("tls-self-signed")
def test_a_certificate_of_its_own_is_shown_and_its_fingerprint_said(serve, folder):
    server = serve(TLS, "--tls-self-signed=dev.galley.test", root=folder(SITE))
    assert f"https://{server.host}:{server.port}/" in server.stdout
    server.wait_output(f"SHA-256 {secure.fingerprint(secure.shown(server))}")
    server.wait_output("dev.galley.test")
    with secure.connect(server) as client:
        assert client.get("/").text == "home"
        assert client.get("/big.bin").body == SITE["big.bin"]


@about("tls-cert", "tls-key")
def test_the_name_that_is_asked_for_chooses_the_certificate(serve, folder, ca):
    pairs = [ca.issue("one.galley.test"), ca.issue("two.galley.test", "*.wild.test", rsa=True)]
    options = [f"--tls-cert={cert}" for cert, _ in pairs] + [f"--tls-key={key}" for _, key in pairs]
    server = serve(TLS, *options, root=folder(SITE))
    for name, index in (("one.galley.test", 0), ("TWO.galley.test", 1), ("a.wild.test", 1)):
        with secure.connect(server, name, trust=ca.cert) as client:
            assert client.get("/", {"Host": name}).text == "home"
            assert client.socket.getpeercert(binary_form=True) == secure.der_of(pairs[index][0])
    assert secure.shown(server, "unknown.test") == secure.der_of(pairs[0][0])


def test_plain_and_tls_addresses_stand_beside_each_other(serve, folder):
    server = serve("--listen=127.0.0.1:0", TLS, "--tls-self-signed", root=folder(SITE))
    port = int(galley.re.search(r"https://127\.0\.0\.1:(\d+)/", server.stdout)[1])
    assert server.get("/").text == "home"
    with secure.wrapped(("127.0.0.1", port)) as sock:
        assert galley.Client.of(sock).get("/").text == "home"


def test_plain_http_at_an_address_of_tls_is_told_so(serve, folder):
    server = serve(TLS, "--tls-self-signed", root=folder(SITE))
    answer = server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"TLS" in answer
    server.exchange(b"\x00\x01\x02garbage\r\n\r\n")
    with secure.connect(server) as client:
        assert client.get("/").status == 200


@about("tls-policy")
def test_modern_means_tls_1_3(serve, folder):
    server = serve(TLS, "--tls-self-signed", root=folder(SITE))
    with secure.connect(server, most=ssl.TLSVersion.TLSv1_2) as client:
        assert client.socket.version() == "TLSv1.2" and client.get("/").status == 200
    with secure.connect(server) as client:
        assert client.socket.version() == "TLSv1.3"
    modern = serve(TLS, "--tls-self-signed", "--tls-policy=modern", root=folder(SITE))
    with pytest.raises(ssl.SSLError):
        secure.connect(modern, most=ssl.TLSVersion.TLSv1_2)


@about("no-http2")
def test_http2_is_offered_unless_told_otherwise(serve, folder):
    both = ("h2", "http/1.1")
    server = serve(TLS, "--tls-self-signed", root=folder(SITE))
    with secure.connect(server, alpn=both) as client:
        assert client.socket.selected_alpn_protocol() == "h2"
    server = serve(TLS, "--tls-self-signed", "--no-http2", root=folder(SITE))
    with secure.connect(server, alpn=both) as client:
        assert client.socket.selected_alpn_protocol() == "http/1.1"


@about("no-http2")
def test_without_http2_its_preface_is_a_bad_request(serve, folder):
    """RFC 9110 §15.6.6: a version that is not spoken here; RFC 9113 §3.4: the preface is built to be refused."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    with serve(root=folder(SITE)).connect() as client:
        client.send(preface)
        assert client.read_bytes(9)[3:4] == b"\x04"  # SETTINGS
    assert serve("--no-http2", root=folder(SITE)).exchange(preface).startswith(b"HTTP/1.1 505 ")


@about("tls-client", "tls-client-ca")
def test_clients_must_show_a_certificate_where_that_is_required(serve, folder, ca):
    cert, key = ca.issue("www.galley.test")
    options = [TLS, f"--tls-cert={cert}", f"--tls-key={key}", f"--tls-client-ca={ca.cert}"]
    server = serve(*options, "--tls-client=required", root=folder(SITE))
    with secure.connect(server, identity=ca.issue("somebody")) as client:
        assert client.get("/").text == "home"
    with pytest.raises((ssl.SSLError, ConnectionResetError, galley.ProtocolError)):  # TLS 1.3 tells it with the first read
        with secure.connect(server) as client:
            client.get("/")
    server = serve(*options, "--tls-client=optional", root=folder(SITE))
    with secure.connect(server) as client:
        assert client.get("/").text == "home"


@about("redirect-to-https")
def test_who_comes_without_tls_is_sent_to_the_address_with_it(serve, folder):
    site = {**SITE, ".well-known/acme-challenge/token": "proof"}
    server = serve("--listen=127.0.0.1:0", TLS, "--tls-self-signed", "--redirect-to-https", "--hidden", root=folder(site))
    port = int(galley.re.search(r"https://127\.0\.0\.1:(\d+)/", server.stdout)[1])
    answer = server.get("/a%20b?c=d", {"Host": "Galley.test:1"})
    assert answer.status == 308 and answer.header("Location") == f"https://galley.test:{port}/a%20b?c=d"
    assert server.get("/.well-known/acme-challenge/token").text == "proof"
    with secure.wrapped(("127.0.0.1", port)) as sock:
        assert galley.Client.of(sock).get("/").status == 200


@about("hsts")
def test_browsers_are_told_to_come_with_tls_over_tls_only(serve, folder):
    for option, value in (("--hsts", "max-age=31536000"), ("--hsts=max-age=5; preload", "max-age=5; preload")):
        server = serve("--listen=127.0.0.1:0", TLS, "--tls-self-signed", option, root=folder({**SITE, "dir/a": "a"}))
        port = int(galley.re.search(r"https://127\.0\.0\.1:(\d+)/", server.stdout)[1])
        assert server.get("/").header("Strict-Transport-Security") is None
        with secure.wrapped(("127.0.0.1", port)) as sock:
            client = galley.Client.of(sock)
            for path, status in (("/", 200), ("/none", 404), ("/dir", 301)):  # RFC 6797 §7.1: whatever the answer is
                answer = client.get(path)
                assert (answer.status, answer.header("Strict-Transport-Security")) == (status, value)
            assert client.get("/", method="DELETE").header("Strict-Transport-Security") == value


# ---- handshakes on other threads


def test_each_loop_brings_a_thread_for_handshakes(serve, folder):
    one, three = (serve(TLS, "--tls-self-signed", f"--loops={loops}", root=folder(SITE)) for loops in (1, 3))
    galley.wait_until(lambda: three.threads() == one.threads() + 4, what="four threads more")


def shake_hands(server, count, failures):
    try:
        for _ in range(count):
            secure.wrapped((server.host, server.port)).close()
    except OSError as failure:
        failures.append(failure)


def crowd_of(server, clients, count, failures):
    threads = [threading.Thread(target=shake_hands, args=(server, count, failures)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    return threads


def test_a_kept_client_is_served_among_handshakes_with_rsa(serve, folder, ca):
    cert, key = ca.issue("www.galley.test", rsa=True)
    server = serve(TLS, f"--tls-cert={cert}", f"--tls-key={key}", root=folder(SITE))
    failures = []
    with secure.connect(server) as kept:
        threads = crowd_of(server, 8, 25, failures)
        while any(thread.is_alive() for thread in threads):
            assert kept.get("/").text == "home"
        for thread in threads:
            thread.join()
        assert not failures
        assert kept.get("/").text == "home"


def test_a_stop_amid_handshakes_with_rsa_is_a_clean_end(serve, folder, ca):
    cert, key = ca.issue("www.galley.test", rsa=True)
    server = serve(TLS, f"--tls-cert={cert}", f"--tls-key={key}", root=folder(SITE))
    failures = []
    with secure.connect(server) as kept:
        threads = crowd_of(server, 8, 25, failures)
        for _ in range(10):
            assert kept.get("/").text == "home"
        server.signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
    assert server.wait() == 0
    server.judge()


# ---- certificates that change


def test_replaced_files_are_used_and_a_bad_pair_is_not(serve, folder, ca):
    cert, key = ca.issue("www.galley.test")
    old = secure.der_of(cert)
    server = serve(TLS, f"--tls-cert={cert}", f"--tls-key={key}", root=folder(SITE))
    with secure.connect(server) as kept:
        assert kept.get("/").status == 200
        other_cert, other_key = ca.issue("www.galley.test")
        replace(cert, other_cert)  # without its key: no pair
        server.wait_output("the certificates in use stay")
        assert secure.shown(server) == old
        replace(key, other_key)
        server.wait_output("certificates were read again")
        assert secure.shown(server) == secure.der_of(other_cert) != old
        assert kept.get("/").status == 200


def test_hup_reads_certificates_again(serve, folder, ca):
    cert, key = ca.issue("www.galley.test")
    server = serve(TLS, f"--tls-cert={cert}", f"--tls-key={key}", root=folder(SITE))
    server.signal(signal.SIGHUP)
    server.wait_output("certificates were read again")


def test_no_request_fails_while_certificates_are_swapped(serve, folder, ca):
    cert, key = ca.issue("www.galley.test")
    both = cert.with_name("both.pem")
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    server = serve(TLS, f"--tls-cert={both}", root=folder(SITE))
    failures, stop, shown = [], threading.Event(), set()

    def ask():
        while not stop.is_set():
            try:
                with secure.connect(server) as client:
                    shown.add(secure.fingerprint(client.socket.getpeercert(binary_form=True)))
                    assert client.get("/").text == "home"
            except Exception as failure:  # noqa: BLE001: whatever it is, it is what this looks for
                failures.append(failure)
                return

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for count in range(1, 4):
            new_cert, new_key = ca.issue("www.galley.test")
            aside = both.with_suffix(".new")
            aside.write_bytes(new_cert.read_bytes() + new_key.read_bytes())
            os.replace(aside, both)
            wanted = secure.fingerprint(secure.der_of(new_cert))
            galley.wait_until(lambda: wanted in shown or failures, 20, "the new certificate")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


# ---- mistakes


@about("tls-ocsp")
def test_what_is_wrong_with_the_files_is_said_with_their_names(run, folder, ca, tmp_path):
    cert, key = ca.issue("www.galley.test")
    other = ca.issue("other.galley.test")[1]
    locked = tmp_path / "locked.key"
    secure.openssl("ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", locked)
    noise = tmp_path / "noise.pem"
    noise.write_text("nothing\n")
    for options, wanted in (
        ([f"--tls-cert={tmp_path}/none.pem"], "none.pem: No such file"),
        ([f"--tls-cert={noise}", f"--tls-key={key}"], "noise.pem"),
        ([f"--tls-cert={cert}", f"--tls-key={other}"], "not the key of certificate"),
        ([f"--tls-cert={cert}", f"--tls-key={locked}"], "locked.key"),
        ([f"--tls-cert={cert}", f"--tls-key={key}", f"--tls-ocsp={tmp_path}/none.der"], "none.der"),
        ([f"--tls-cert={cert}", f"--tls-key={key}", "--tls-client=required"], "--tls-client-ca"),
    ):
        done = run(TLS, *options, folder(SITE))
        assert done.returncode == 1, done.stderr
        assert wanted in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_options_that_need_each_other(run, folder, ca):
    cert, key = ca.issue("www.galley.test")
    for options, wanted in (
        ([TLS], "needs a certificate"),
        (["--listen=127.0.0.1:0", "--tls-self-signed"], "--listen ADDRESS,tls"),
        (["--listen=127.0.0.1:0", f"--tls-cert={cert}"], "--listen ADDRESS,tls"),
        (["--listen=127.0.0.1:0", "--redirect-to-https"], "--redirect-to-https"),
        (["--listen=127.0.0.1:0", "--hsts"], "--hsts is of no use"),
        ([TLS, f"--tls-cert={cert}", f"--tls-key={key}", f"--tls-key={key}"], "--tls-key"),
    ):
        done = run(*options, folder(SITE))
        assert done.returncode == 1 and wanted in done.stderr, done.stderr


def test_the_doctor_looks_at_certificates(run, folder, ca):
    cert, key = ca.issue("www.galley.test")
    done = run("--doctor", TLS, f"--tls-cert={cert}", f"--tls-key={key}", folder(SITE))
    assert done.returncode == 0 and "certificate for www.galley.test" in done.stdout
    assert "127.0.0.1:0: good, with TLS" in done.stdout
    done = run("--doctor", TLS, f"--tls-cert={key}", folder(SITE))
    assert done.returncode == 1 and key.name in done.stdout
