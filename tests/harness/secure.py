"""TLS for the whole-server tests: certificates made on the spot by the openssl program, and clients by Python's ssl.

    ca = secure.Authority(tmp_path)
    cert, key = ca.issue("www.galley.test", "*.wild.test")
    with secure.connect(server, trust=ca.cert, name="www.galley.test") as client: ...
"""

import hashlib
import socket
import ssl
import subprocess

import galley


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """A root of its own; every file lies below `folder`."""

    def __init__(self, folder):
        self.folder = folder / "authority"
        self.folder.mkdir()
        self.cert, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        self.count = 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj",
                "/CN=test root", "-keyout", self.key, "-out", self.cert)

    def issue(self, *names, days=10, rsa=False):
        """-> (certificate, key), for these DNS names."""
        self.count += 1
        base = self.folder / f"leaf{self.count}"
        key, request, cert, more = (base.with_suffix(end) for end in (".key", ".csr", ".pem", ".cnf"))
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", request)
        more.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", days,
                "-extfile", more, "-out", cert)
        return cert, key


def context(trust=None, alpn=("http/1.1",), most=None, identity=None):
    """trust: the root's file; None: whatever the server shows is taken. identity: (certificate, key) to show."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = trust is not None
    made.verify_mode = ssl.CERT_REQUIRED if trust else ssl.CERT_NONE
    if trust:
        made.load_verify_locations(trust)
    if identity:
        made.load_cert_chain(*identity)
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if most:
        made.maximum_version = most
    return made


def wrapped(address, name="localhost", timeout=10.0, **how):
    """A connected socket that has shaken hands."""
    plain = socket.create_connection(address, timeout * galley.SLOW)
    try:
        return context(**how).wrap_socket(plain, server_hostname=name)
    except (OSError, ssl.SSLError):
        plain.close()
        raise


def connect(server, name="localhost", **how):
    """A galley.Client through TLS."""
    return galley.Client.of(wrapped((server.host, server.port), name, **how))


def shown(server, name="localhost", **how):
    """The certificate that a client which asks for `name` gets, in DER."""
    with wrapped((server.host, server.port), name, **how) as sock:
        return sock.getpeercert(binary_form=True)


def fingerprint(der):
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def der_of(cert):
    return ssl.PEM_cert_to_DER_cert(cert.read_text()[cert.read_text().index("-----BEGIN CERT"):])
