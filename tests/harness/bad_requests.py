"""The request tables of tests/data/ for Python tests, the twin of bad_requests.c: the format stands in the tables.

    for case in bad_requests(): case.name, case.rfc, case.status, case.closes, case.stage, case.bytes
    for case in good_requests(): case.name, case.method, case.version, case.fields, case.target, case.body, case.bytes
"""

import pathlib
import re
import types

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", '"': b'"', "\\": b"\\"}


def unquote(text):
    """The bytes of "..." with its escapes; ValueError for anything else."""
    match = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', text)
    if not match:
        raise ValueError(f"not a quoted text: {text}")
    parts = re.findall(r"\\x[0-9a-fA-F]{2}|\\.|[^\\]", match.group(1))
    out = b""
    for part in parts:
        if part.startswith("\\x"):
            out += bytes([int(part[2:], 16)])
        elif part.startswith("\\"):
            out += ESCAPES[part[1]]
        else:
            out += part.encode("ascii")
    return out


def read(path, is_good):
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        key, rest = line.split(" ", 1)
        if key == "case":
            cases.append(types.SimpleNamespace(name=rest, bytes=b"", target=b"", body=b""))
            continue
        case = cases[-1]
        if key in ("rfc", "stage"):
            setattr(case, key, rest)
        elif key in ("bytes", "target", "body"):
            setattr(case, key, getattr(case, key) + unquote(rest))
        elif key == "repeat":
            count, text = rest.split(" ", 1)
            case.bytes += int(count) * unquote(text)
        elif key == "expect" and is_good:
            method, version, fields = rest.split()
            case.method, case.version, case.fields = method, int(version), int(fields)
        elif key == "expect":
            status, end = rest.split()
            case.status, case.closes = int(status), {"close": True, "open": False}[end]
        else:
            raise ValueError(f"{path}: no such key: {key}")
    return cases


def bad_requests():
    return read(DATA / "bad_requests.txt", False)


def good_requests():
    return read(DATA / "good_requests.txt", True)
