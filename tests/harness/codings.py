"""Content codings for whole-server tests, by the system's own libraries: whole bodies to send, and decoders that say at
once what can be known of what has come.

    body = codings.encode("br", b"text" * 1000)
    decoder = codings.Decoder("zstd")
    text = decoder.feed(first) + decoder.feed(second)
    assert decoder.is_ended
"""

import ctypes
import gzip
import zlib

ALL = ("gzip", "br", "zstd")
ROOM = 1 << 16


def _library(*names):
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OSError(f"none of {names} is installed")


def encode(coding, data):
    if coding == "gzip":
        return gzip.compress(data)
    size, room = ctypes.c_size_t(len(data) + 1024), ctypes.create_string_buffer(len(data) + 1024)
    if coding == "br":
        done = _library("libbrotlienc.so.1").BrotliEncoderCompress(
            5, 22, 0, ctypes.c_size_t(len(data)), data, ctypes.byref(size), room
        )
        assert done == 1
        return room.raw[: size.value]
    zstd = _library("libzstd.so.1")
    zstd.ZSTD_compress.restype = ctypes.c_size_t
    written = zstd.ZSTD_compress(room, size, data, ctypes.c_size_t(len(data)), 3)
    return room.raw[:written]


class _Buffer(ctypes.Structure):
    """Of ZSTD_inBuffer and ZSTD_outBuffer."""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]


class _Gzip:
    def __init__(self):
        self.state = zlib.decompressobj(31)

    def run(self, data):
        return self.state.decompress(data), self.state.eof


class _Brotli:
    FAILED, ENDED, WANTS_MORE, WANTS_ROOM = range(4)

    def __init__(self):
        self.library = _library("libbrotlidec.so.1")
        self.library.BrotliDecoderCreateInstance.restype = ctypes.c_void_p
        self.state = ctypes.c_void_p(self.library.BrotliDecoderCreateInstance(None, None, None))

    def __del__(self):
        self.library.BrotliDecoderDestroyInstance(self.state)

    def run(self, data):
        source = ctypes.create_string_buffer(data, len(data))
        at, left, out, result = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_size_t(len(data)), b"", None
        while result in (None, self.WANTS_ROOM) or self.library.BrotliDecoderHasMoreOutput(self.state):
            room = ctypes.create_string_buffer(ROOM)
            to, space = ctypes.c_void_p(ctypes.addressof(room)), ctypes.c_size_t(ROOM)
            result = self.library.BrotliDecoderDecompressStream(
                self.state, ctypes.byref(left), ctypes.byref(at), ctypes.byref(space), ctypes.byref(to), None
            )
            assert result != self.FAILED
            out += room.raw[: ROOM - space.value]
        return out, result == self.ENDED


class _Zstd:
    def __init__(self):
        self.library = _library("libzstd.so.1")
        self.library.ZSTD_createDStream.restype = ctypes.c_void_p
        self.library.ZSTD_decompressStream.restype = ctypes.c_size_t
        self.state = ctypes.c_void_p(self.library.ZSTD_createDStream())

    def __del__(self):
        self.library.ZSTD_freeDStream(self.state)

    def run(self, data):
        source, out, result = ctypes.create_string_buffer(data, len(data)), b"", 1
        taken = _Buffer(ctypes.addressof(source), len(data), 0)
        while True:
            room = ctypes.create_string_buffer(ROOM)
            given = _Buffer(ctypes.addressof(room), ROOM, 0)
            result = self.library.ZSTD_decompressStream(self.state, ctypes.byref(given), ctypes.byref(taken))
            assert not self.library.ZSTD_isError(ctypes.c_size_t(result))
            out += room.raw[: given.at]
            if given.at < ROOM and taken.at == taken.size or result == 0:
                return out, result == 0


class Decoder:
    def __init__(self, coding):
        self.coder = {"gzip": _Gzip, "br": _Brotli, "zstd": _Zstd}[coding]()
        self.is_ended = False

    def feed(self, data):
        """All that can be known from what was fed so far, behind what was given before."""
        assert not self.is_ended or not data, "bytes behind the end"
        text, has_ended = self.coder.run(data) if data else (b"", False)
        self.is_ended |= has_ended
        return text


def decode(coding, data):
    """Of a whole body; None: as it is."""
    if coding is None:
        return data
    decoder = Decoder(coding)
    text = decoder.feed(data)
    assert decoder.is_ended, "the body is cut off"
    return text
