"""What is the same over TLS for every server: the certificate that it shows, and what the client offers, of which every
server can choose that alone. Imported by bench/load/run."""

import subprocess

CERTIFICATE, KEY = "certificate.pem", "key.pem"
NAME = "localhost"  # that it is for, and that is asked for
# What client_link.c offers, by the version; keys are exchanged by X25519.
CIPHERS = {"1.2": "ECDHE-ECDSA-AES128-GCM-SHA256", "1.3": "TLS_AES_128_GCM_SHA256"}


def make_certificate(folder):
    """Writes it and its key into that folder: ECDSA over P-256, its own signer."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
               "-days", "30", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1",
               "-keyout", folder / KEY, "-out", folder / CERTIFICATE]
    subprocess.run(command, check=True, capture_output=True)


def words(version, resumed):
    """As bench_client says it of its handshakes."""
    return f"TLSv{version} {CIPHERS[version]} {'resumed' if resumed else 'full'}"
