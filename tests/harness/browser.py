"""A real browser for whole-server tests: runs the scripts of tests/browser with node and the system's Chromium.

The scripts collect facts and print them as JSON; tests judge them. What is missing is told by a skip: `make setup`
installs chromium, nodejs and npm, and the first test fetches playwright-core, as locked in package-lock.json."""

import json
import os
import shutil
import subprocess

import pytest

import galley

SCRIPTS = galley.ROOT / "tests/browser"
NODE_MAJOR = 18


def chromium():
    """The browser's path; GALLEY_CHROMIUM names another one."""
    names = [os.environ.get("GALLEY_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    found = [path for path in map(shutil.which, filter(None, names)) if path]
    if not found:
        pytest.skip("chromium is missing: run `make setup`")
    return found[0]


def node():
    path = shutil.which("node")
    if not path:
        pytest.skip("node is missing: run `make setup`")
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip().lstrip("v")
    if int(version.split(".")[0] or 0) < NODE_MAJOR:
        pytest.skip(f"node {version} is too old: {NODE_MAJOR} or newer is wanted")
    return path


def locked_version():
    lock = json.loads((SCRIPTS / "package-lock.json").read_text())
    return lock["packages"]["node_modules/playwright-core"]["version"]


def installed_version():
    try:
        return json.loads((SCRIPTS / "node_modules/playwright-core/package.json").read_text())["version"]
    except OSError:
        return None


def install():
    """`npm ci`, unless the locked version is there."""
    if installed_version() == locked_version():
        return
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is missing: run `make setup`")
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=SCRIPTS, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        pytest.skip(f"npm ci could not fetch playwright-core: {done.stderr.strip()[-300:]}")


def visit(script, url, folder):
    """What tests/browser/SCRIPT found at url. folder: for the profile and for pictures."""
    program, browser = node(), chromium()
    install()
    command = [program, SCRIPTS / script, browser, url, folder]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180 * galley.SLOW
    )
    assert done.returncode == 0, f"{script} failed:\n{done.stderr[-4000:]}"
    return json.loads(done.stdout)
