"""The servers that are measured: how each is configured, started, found out about and ended. Every one is tuned for
this work (one worker, no access log, kept file handles, sendfile, connections that are kept for ever) and listens on a
port of 127.0.0.1 that was free. Imported by bench/load/run."""

import os
import random
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import tls_setup

CONNECTIONS = 16_384
FIRST_PORT = 10_000
START_LIMIT_S = 15
STOP_LIMIT_S = 10
BROTLI_MODULE = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")
DEFLATE_MODULE = Path("/usr/lib/lighttpd/mod_deflate.so")
TLS_MODULE = Path("/usr/lib/lighttpd/mod_openssl.so")
# The client offers nothing else; who can be told is told the same.
CIPHER_12, CIPHER_13 = tls_setup.CIPHERS["1.2"], tls_setup.CIPHERS["1.3"]


@dataclass(frozen=True)
class Kind:
    """A server, and mostly one column of the tables."""
    name: str
    title: str
    program: str  # a word: looked for in PATH; else below the build folder
    package: str
    make: object  # (place, port, variant) -> arguments, or None: it has no such variant
    is_peer: bool = False
    is_floor: bool = False
    column: str = ""  # of the tables, if it is another's
    fds_each: int = 1  # descriptors that it wants for a connection

    def most_connections(self):
        """Held at once, and some more for others."""
        return (descriptors() - 64) // self.fds_each


@dataclass
class Place:
    """Where one server's files lie."""
    www: Path
    folder: Path
    keys: Path = Path()  # where the certificate lies

    @property
    def certificate(self):
        return self.keys / tls_setup.CERTIFICATE

    @property
    def key(self):
        return self.keys / tls_setup.KEY

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


def descriptors():
    """So many a process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


# ---- configurations ----

def galley(*extra):
    def make(place, port, variant):
        if variant not in ("", "log", "tls", "coded"):
            return None
        tls = [f"--tls-cert={place.certificate}", f"--tls-key={place.key}"] if variant == "tls" else []
        log = [f"--access-log={place.folder / 'access.log'}", "--log-format=json"] if variant == "log" else []
        return ["--loops=1", "--quiet", f"--max-connections={CONNECTIONS}", *extra, *log, *tls,
                f"--listen=127.0.0.1:{port}{',tls' if tls else ''}", place.www]
    return make


def handlers(*extra):
    def make(place, port, variant):
        return [*extra, str(port), place.www] if variant in ("handlers", "sleepers", "overload") else None
    return make


def floor(place, port, variant):
    return {"": [str(port)], "close": ["--close", str(port)]}.get(variant)


def nginx(place, port, variant):
    module = f"load_module {BROTLI_MODULE};\n" if BROTLI_MODULE.exists() else ""
    brotli = "brotli_static on;" if module else ""
    user = "user root root;" if os.geteuid() == 0 else ""
    paths = " ".join(f"{what}_temp_path {place.folder}/{what};"
                     for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (place.folder / "dav/upload").mkdir(parents=True)
    tls = f"""ssl_certificate {place.certificate}; ssl_certificate_key {place.key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {CIPHER_12}; ssl_conf_command Ciphersuites {CIPHER_13};
    ssl_ecdh_curve X25519:prime256v1; ssl_conf_command NumTickets 1;""" if variant == "tls" else ""
    gzip = """gzip on; gzip_vary on; gzip_min_length 1000;
    gzip_types text/css text/javascript application/javascript image/svg+xml;""" if variant == "coded" else ""
    config = place.write("nginx.conf", f"""{module}{user}
daemon off; worker_processes 1; worker_rlimit_nofile {CONNECTIONS + 2000};
pid {place.folder}/nginx.pid; error_log {place.folder}/error.log crit;
events {{ worker_connections {CONNECTIONS}; multi_accept on; }}
http {{
    include /etc/nginx/mime.types; access_log off; {paths}
    sendfile on; tcp_nopush on; tcp_nodelay on; gzip_static on; {brotli}
    keepalive_timeout 600s; keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s; open_file_cache_errors on;
    {tls}{gzip}
    server {{
        listen 127.0.0.1:{port}{" ssl http2" if tls else ""} backlog=4096; root {place.www};
        location /upload/ {{ root {place.folder}/dav; dav_methods PUT; client_max_body_size 0; }}
    }}
}}
""")
    return ["-p", place.folder, "-c", config] if variant in ("", "tls", "coded") else None


def h2o(place, port, variant):
    user = "user: root\n" if os.geteuid() == 0 else ""
    # Its key in a process of its own would cost it a switch for each signature.
    tls = f"""
  ssl: {{certificate-file: {place.certificate}, key-file: {place.key}, minimum-version: TLSv1.2,
        cipher-suite: {CIPHER_12}, cipher-preference: server, neverbleed: OFF,
        ocsp-update-interval: 0}}
http2-idle-timeout: 600
ssl-session-resumption: {{mode: ticket}}""" if variant == "tls" else ""
    config = place.write("h2o.conf", f"""{user}num-threads: 1
max-connections: {CONNECTIONS}
http1-request-timeout: 600
pid-file: {place.folder}/h2o.pid
error-log: {place.folder}/error.log
listen:
  host: 127.0.0.1
  port: {port}{tls}
file.send-compressed: ON
{"compress: ON" if variant == "coded" else ""}
file.mime.addtypes: {{font/woff2: .woff2, image/webp: .webp}}
hosts: {{default: {{paths: {{"/": {{file.dir: {place.www}}}}}}}}}
""")
    return ["-c", config] if variant in ("", "tls", "coded") else None


def lighttpd(place, port, variant):
    types = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml",
             "woff2": "font/woff2", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp",
             "bin": "application/octet-stream"}
    fds = min(descriptors(), 2 * CONNECTIONS)  # it wants two for a connection
    (place.folder / "deflate").mkdir()
    deflate = f"""server.modules += ("mod_deflate")
deflate.cache-dir = "{place.folder}/deflate"
deflate.allowed-encodings = ("br", "gzip")
deflate.mimetypes = ("text/html", "text/css", "text/javascript", "image/svg+xml")
deflate.max-compress-size = 1024
""" if DEFLATE_MODULE.exists() else ""
    tls = f"""server.modules += ("mod_openssl")
ssl.engine = "enable"
ssl.pemfile = "{place.certificate}"
ssl.privkey = "{place.key}"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2", "CipherString" => "{CIPHER_12}",
    "Ciphersuites" => "{CIPHER_13}", "Groups" => "X25519:P-256", "NumTickets" => "1")
""" if variant == "tls" else ""
    config = place.write("lighttpd.conf", f"""server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{place.www}"
server.errorlog = "{place.folder}/error.log"
server.listen-backlog = 4096
server.max-connections = {fds // 2}
server.max-fds = {fds}
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 600
server.stat-cache-engine = "inotify"
server.network-backend = "sendfile"
mimetype.assign = ({", ".join(f'".{end}" => "{name}"' for end, name in types.items())})
{deflate}{tls}""")
    return ["-D", "-f", config] if variant in ("", "coded") or (tls and TLS_MODULE.exists()) else None


def caddy(place, port, variant):
    site, tls = f"http://127.0.0.1:{port}", ""
    if variant == "tls":
        site = f"https://localhost:{port}"
        tls = f"""tls {place.certificate} {place.key} {{
        curves x25519 secp256r1
        ciphers TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    }}"""
    config = place.write("Caddyfile", f"""{{
    admin off
    auto_https off
    log {{
        output discard
    }}
    servers {{
        protocols h1 h2
    }}
}}
{site} {{
    bind 127.0.0.1
    {tls}
    {"encode gzip" if variant == "coded" else ""}
    root * {place.www}
    file_server {{
        precompressed br gzip
    }}
}}
""")
    return ["run", "--adapter", "caddyfile", "--config", config] if variant in ("", "tls", "coded") else None


KINDS = [
    Kind("galley", "galley", "./galley", "", galley()),  # --io=auto
    Kind("galley_epoll", "galley, epoll", "./galley", "", galley("--io=epoll")),
    Kind("galley_uring", "galley, io_uring", "./galley", "", galley("--io=uring")),
    Kind("handlers", "galley's handlers", "./bench/bench_handlers", "", handlers(), column="galley"),
    Kind("handlers_uring", "galley's handlers, io_uring", "./bench/bench_handlers", "", handlers("--io=uring"),
         column="galley_uring"),
    Kind("epoll", "blind epoll", "./bench/bench_floor_epoll", "", floor, is_floor=True),
    Kind("uring", "blind io_uring", "./bench/bench_floor_uring", "liburing-dev", floor, is_floor=True),
    Kind("nginx", "nginx", "nginx", "nginx", nginx, is_peer=True),
    Kind("h2o", "h2o", "h2o", "h2o", h2o, is_peer=True),
    Kind("lighttpd", "lighttpd", "lighttpd", "lighttpd", lighttpd, is_peer=True, fds_each=2),
    Kind("caddy", "Caddy", "caddy", "caddy", caddy, is_peer=True),
]


def program_of(kind, build):
    """The path of its program, or None."""
    if kind.program.startswith("./"):
        path = build / kind.program
        return path if path.exists() else None
    found = shutil.which(kind.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def missing_parts():
    """(what a server cannot do then, the package that has it) for each that is not there."""
    return [(what, package) for module, what, package in (
        (BROTLI_MODULE, "brotli of nginx", "libnginx-mod-http-brotli-static"),
        (DEFLATE_MODULE, "compression of lighttpd", "lighttpd-mod-deflate"),
        (TLS_MODULE, "TLS of lighttpd", "lighttpd-mod-openssl")) if not module.exists()]


def version_of(kind):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", kind.package], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 and done.stdout else "of unknown version"


# ---- processes ----

def free_port():
    """None of those that the kernel gives to clients: who asks again and again whether a server listens there would be
    given that very port in the end, be connected with himself, and leave none to the server."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(FIRST_PORT, lowest) if lowest > FIRST_PORT + 1000 else range(FIRST_PORT, 65536)
    for port in random.sample(ports, min(len(ports), 1000)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass  # in use
    raise OSError("no port is free")


def parents():
    """{pid: its parent} of everything that runs."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass  # it ended meanwhile
    return found


def descendants(pid):
    """pid, its children, theirs, and so on."""
    above, found = parents(), [pid]
    for each in found:
        found += [child for child, parent in above.items() if parent == each]
    return found


@dataclass
class Server:
    kind: Kind
    variant: str
    port: int
    folder: Path  # its own
    process: subprocess.Popen
    started_s: float = field(default_factory=time.perf_counter)
    settled: tuple = ()  # its processes, once there will be no others

    def pids(self):
        return self.settled or descendants(self.process.pid)

    def cpu_ns(self):
        """User and system time of all its processes so far, of threads that have ended too."""
        return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in self.pids() if self.process.poll() is None)

    def wait_until_it_listens(self):
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.0005)
        raise OSError(f"{self.kind.title} does not start")

    def stop(self):
        """Asks it to end; returns how long that took in seconds."""
        begun = time.perf_counter()
        if self.process.poll() is None:
            handle = os.pidfd_open(self.process.pid)  # wait() with a limit would look only now and then
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            if not select.select([handle], [], [], STOP_LIMIT_S)[0]:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            self.process.wait()
            os.close(handle)
        return time.perf_counter() - begun


class Stable:
    """All servers of a run, started when first asked for."""

    def __init__(self, build, work, www, cpu):
        self.build, self.work, self.www, self.cpu = build, work, www, cpu
        self.running = {}
        self.count = 0

    def start(self, kind, variant=""):
        """A new one; None if its program is missing or it has no such variant."""
        program = program_of(kind, self.build)
        self.count += 1
        folder = self.work / f"{self.count}-{kind.name}"
        folder.mkdir(mode=0o755)
        port = free_port()
        arguments = kind.make(Place(self.www, folder, self.work), port, variant) if program else None
        if arguments is None:
            return None
        begun = time.perf_counter()
        process = subprocess.Popen(
            [program, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=(folder / "stderr").open("w"), env=os.environ | {"HOME": str(folder)},
            preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu}))
        return Server(kind, variant, port, folder, process, begun)

    def get(self, kind, variant=""):
        """The one that runs, ready; None as for start()."""
        if (kind.name, variant) not in self.running:
            server = self.running[kind.name, variant] = self.start(kind, variant)
            if server:
                server.wait_until_it_listens()
                time.sleep(0.1)  # its other processes
                server.settled = tuple(server.pids())
        return self.running[kind.name, variant]

    def cpu_s(self):
        """Of all that run, so far."""
        return sum(server.cpu_ns() for server in self.running.values() if server) / 1e9

    def stop_all(self):
        for server in self.running.values():
            if server:
                server.stop()
        self.running.clear()
