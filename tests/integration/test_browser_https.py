"""A real browser over HTTPS: it speaks HTTP/2 on one connection, and the page works as without."""

import pytest

import browser
import galley

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.xdist_group("browser")]


def test_the_browser_speaks_http_2(serve, tmp_path):
    browser.node(), browser.chromium()
    server = serve("--listen=127.0.0.1:0,tls", "--tls-self-signed", root=galley.ROOT / "examples/site")
    facts = browser.visit("visit_https.mjs", f"https://localhost:{server.port}/", tmp_path)["load"]
    assert facts["complaints"] == [] and facts["many"] == [200] * 40
    assert facts["security"]["protocol"] == "TLS 1.3" and facts["isSecure"]
    assert {answer["protocol"] for answer in facts["responses"]} == {"h2"}
    # What is fetched without cookies has a connection of its own; six would be those of HTTP/1.1.
    assert len({answer["connection"] for answer in facts["responses"]}) <= 2
    assert all(answer["status"] in (200, 304) for answer in facts["responses"])
