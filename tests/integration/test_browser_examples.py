"""A real browser on the examples that talk back: a WebSocket chat and a stream of server-sent events."""

import re

import pytest

import browser
import galley

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.xdist_group("browser")]


@pytest.fixture
def visit(tmp_path, example):
    def start(name, script, *arguments):
        browser.node(), browser.chromium()
        server = example(name, *arguments, "127.0.0.1:0")
        return browser.visit(script, f"http://127.0.0.1:{server.port}/", tmp_path)

    return start


def test_two_pages_of_the_chat_hear_each_other(visit):
    facts = visit("chat", "visit_chat.mjs", galley.ROOT / "examples/chat")["talk"]
    assert facts["state"] == "connected"
    assert facts["heard"]["first"] == ["* 1 in the room", "* 2 in the room", "ahoy ⚓", "<b>aye</b>"]
    assert facts["heard"]["second"] == ["* 2 in the room", "ahoy ⚓", "<b>aye</b>"]
    assert facts["last"] == "* 1 in the room"
    assert facts["complaints"] == []


def test_the_clock_ticks_in_the_page(visit):
    facts = visit("events", "visit_events.mjs")["watch"]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d", time) for time in facts["times"])
    assert facts["times"][0] != facts["times"][1]
    assert facts["state"] == "The clock ticks each second."
    assert facts["complaints"] == []
