"""tools/check_layers: upward and sideways includes are found, allowed ones are not."""

import pytest


def test_own_room_lower_rooms_and_system_headers_are_allowed(check):
    text = '#include "http/a.h"\n#include "base/b.h"\n#include <galley/base.h>\n#include <stdio.h>\n'
    done = check("layers", {"src/http/a.c": text})
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "path, include",
    [
        ("src/base/a.c", '#include "pool/pool.h"'),
        ("src/http/a.h", '#include "pool/pool.h"'),
        ("src/pool/a.c", '  #  include "exchange/exchange.h"'),
        ("src/daemon/a.c", '#include "server/server.h"'),
        ("src/http/a.c", '#include "a.h"'),
        ("src/http/a.c", '#include "galley/base.h"'),
        ("src/http/a.c", "#include <galley/pool.h>"),
        ("src/http/a.c", "#include <galley/server.h>"),
        ("src/cellar/a.c", "#include <stdio.h>"),
    ],
)
def test_a_forbidden_include_is_found(check, path, include):
    done = check("layers", {path: f"/* head */\n{include}\n"})
    assert done.returncode == 1 and path in done.stdout


def test_a_room_reached_only_through_another_is_not_allowed(check):
    assert check("layers", {"src/server/a.c": '#include "http/a.h"\n'}).returncode == 1


def test_the_daemon_may_use_every_public_header(check):
    done = check("layers", {"src/daemon/a.c": '#include "base/a.h"\n#include <galley/server.h>\n'})
    assert done.returncode == 0, done.stdout


def test_an_include_in_a_comment_does_not_count(check):
    assert check("layers", {"src/base/a.c": '/*\n#include "pool/a.h"\n*/\n'}).returncode == 0


def test_layers_may_name_only_rooms_above(check):
    done = check("layers", {"src/LAYERS": "base:\nhttp: base pool\npool: base\n"})
    assert done.returncode == 1 and "LAYERS:2: http names pool" in done.stdout
