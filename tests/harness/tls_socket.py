"""A TLS connection for the whole-server tests that behaves as the socket under it: one thread may send while another
receives (ssl.SSLSocket cannot do that), time limits and setblocking() work, and how it ends can be told apart:

    recv() gives b""                   the server has said close_notify: nothing was cut
    recv() raises ConnectionResetError RST, or an end without close_notify (RFC 8446 §6.1): something may be missing

What it does not do itself (settimeout, fileno, getpeername, ...) the socket under it does.
"""

import socket
import ssl
import threading

RECORD_BYTES = 16384


def strict(context):
    """The context, from now on with an error where close_notify is missing; Python forgives that unless told."""
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


def is_cut(error):
    """The connection ended without close_notify, in the words of this and of older versions of OpenSSL."""
    return isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING"


class TlsSocket:
    def __init__(self, raw, context, name):
        """Shakes hands. A failure leaves `raw` to the caller."""
        self.raw = raw
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.lock = threading.Lock()  # over tls, incoming, outgoing
        self.send_lock = threading.Lock()  # over unsent, and the order of what is sent; taken before lock
        self.unsent = bytearray()
        self.is_abrupt = False
        try:
            while not self._shake():
                self._take_in()
        except BrokenPipeError:
            raise ConnectionResetError("closed in the handshake") from None

    def __getattr__(self, name):
        return getattr(self.raw, name)

    def _shake(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            if not is_cut(error) and not isinstance(error, ssl.SSLZeroReturnError):
                raise
            raise ConnectionResetError("closed in the handshake") from None
        finally:
            self._push()
        return True

    # -- receiving

    def _take_in(self):
        data = self.raw.recv(65536)
        with self.lock:
            self.incoming.write(data) if data else self.incoming.write_eof()

    def _decrypted(self, size):
        """None: nothing has come."""
        with self.lock:
            try:
                return self.tls.read(size)
            except ssl.SSLWantReadError:
                return None
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                if not is_cut(error):
                    raise
                raise ConnectionResetError("the connection ended without close_notify") from None

    def recv(self, size):
        while (data := self._decrypted(size)) is None:
            self._take_in()
        return data

    # -- sending

    def _push(self):
        """Sends what is encrypted. What does not go now, for a time limit or because it would block, goes first later."""
        self.unsent += self.outgoing.read()
        while self.unsent:
            del self.unsent[: self.raw.send(self.unsent)]

    def _encrypt(self, data):
        with self.lock:
            try:
                self.tls.write(data)
            except ssl.SSLZeroReturnError:
                raise BrokenPipeError("the server has closed") from None

    def send(self, data):
        with self.send_lock:
            self._push()
            part = bytes(data[:RECORD_BYTES])
            self._encrypt(part)
            try:
                self._push()
            except (BlockingIOError, TimeoutError):
                pass  # it is taken, and goes with the next one
            return len(part)

    def sendall(self, data):
        view = memoryview(data)
        with self.send_lock:
            for start in range(0, len(view), RECORD_BYTES):
                self._encrypt(view[start : start + RECORD_BYTES])
                self._push()

    # -- ending

    def _say_goodbye(self):
        with self.send_lock:
            with self.lock:
                try:
                    self.tls.unwrap()
                except ssl.SSLError:  # it wants the other's close_notify, which nobody waits for
                    pass
            self._push()

    def shutdown(self, how):
        """SHUT_WR: close_notify, then the end of what is sent; answers still come (RFC 8446 §6.1)."""
        assert how == socket.SHUT_WR
        self._say_goodbye()
        self.raw.shutdown(how)

    def setsockopt(self, level, name, value):
        self.is_abrupt |= name == socket.SO_LINGER and level == socket.SOL_SOCKET  # a reset is to follow: no last words
        self.raw.setsockopt(level, name, value)

    def close(self):
        if not self.is_abrupt and self.raw.fileno() >= 0:
            try:
                self.raw.setblocking(False)
                self._say_goodbye()
            except OSError:
                pass
        self.raw.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
