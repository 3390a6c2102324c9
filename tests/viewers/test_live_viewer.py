"""The interactive viewer in Chromium: two browsers, each with its own view, one of which goes away; and strangers."""

import re
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from browsers import PATIENCE, WORK, chromium, shows_something
from imavatar.paths import project_dir

pytest.importorskip("viser", reason="viser is not installed; scripts/test_viewers.sh does it")

pytestmark = pytest.mark.slow
START_SECONDS = 120


@pytest.fixture(scope="module")
def address(conf, tmp_path_factory):
    """Where a viewer that runs as a command says that it can be opened."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("viewer") / "log.txt"
    command = [sys.executable, "-u", str(project_dir() / "scripts" / "view.py"), "--conf", conf]
    command += ["--port", str(port), "--size", "256", "--resolution", "48", "--faces", "4000"]
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as server:
        try:
            until = time.monotonic() + START_SECONDS
            while "open http" not in log.read_text():
                assert server.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.5)
            yield re.search(r"open (http://\S+)", log.read_text())[1]
            assert server.poll() is None, log.read_text()
            assert "Traceback" not in log.read_text(), log.read_text()
        finally:
            server.terminate()


def opened(browser, address: str):
    tab = browser.new_page(viewport={"width": 900, "height": 560})
    tab.goto(address)
    tab.wait_for_selector("text=the exact image", timeout=PATIENCE)
    tab.wait_for_timeout(1000)
    return tab


def picture(tab, name: str) -> np.ndarray:
    """What the page shows, without its controls."""
    path = WORK / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=path)
    return cv2.imread(str(path))[:, :560].astype(int)


def set_slider(tab, label: str, value: float) -> None:
    """As by hand in the field beside a slider."""
    box = tab.get_by_label(label, exact=True) if tab.get_by_label(label, exact=True).count() else None
    field = box or tab.locator(f"xpath=//label[normalize-space()='{label}']/following::input[@type='text'][1]")
    field.first.fill(str(value))
    field.first.press("Enter")


def test_two_browsers_have_views_of_their_own_and_one_goes_on_without_the_other(address):
    with chromium() as browser:
        one, two = opened(browser, address), opened(browser, address)
        before = picture(one, "viewer_one"), picture(two, "viewer_two")
        shows_something(WORK / "viewer_one.png", corner=2)
        assert np.abs(before[0] - before[1]).mean() < 2
        set_slider(one, "neck turn", 0.6)
        one.wait_for_timeout(3000)
        turned = picture(one, "viewer_one_turned")
        assert np.abs(turned - before[0]).max() > 30
        assert np.abs(picture(two, "viewer_two") - before[1]).max() < 20
        two.close()
        set_slider(one, "neck turn", 0.0)
        one.wait_for_selector("text=the exact image", timeout=PATIENCE)
        one.wait_for_timeout(3000)
        assert np.abs(picture(one, "viewer_one") - before[0]).mean() < 2
        three = opened(browser, address)
        assert np.abs(picture(three, "viewer_three") - before[0]).mean() < 2


def opens_websocket(tab, address: str) -> bool:
    """Whether a page's script can, as viser's does."""
    script = """address => new Promise(resolve => {
        const socket = new WebSocket(address);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
    })"""
    return tab.evaluate(script, address)


def test_a_page_is_shown_again_when_it_is_reloaded(address):
    with chromium() as browser:
        tab = opened(browser, address)
        tab.reload()
        tab.wait_for_selector("text=the exact image", timeout=PATIENCE)
        assert tab.locator(".tabler-icon-share").count() == 0


def test_strangers_see_nothing(address, tmp_path):
    url = urlsplit(address)
    pictures = f"ws://{url.netloc}{url.path}"
    with chromium() as browser:
        own = opened(browser, address)
        assert opens_websocket(own, pictures)
        assert not opens_websocket(own, f"ws://{url.netloc}/")
        # The same server under another of its names is another origin.
        assert not opens_websocket(own, f"ws://localhost:{url.port}{url.path}")
        stranger = browser.new_page()
        assert stranger.goto(f"http://{url.netloc}/").status == 403
        assert "token" in stranger.inner_text("body")
        page = tmp_path / "page.html"
        page.write_text("<p>of somebody else</p>")
        stranger.goto(page.as_uri())
        assert not opens_websocket(stranger, pictures)


def test_the_page_can_be_opened_under_another_name_of_the_machine(address):
    url = urlsplit(address)
    with chromium() as browser:
        opened(browser, f"http://localhost:{url.port}{url.path}")
