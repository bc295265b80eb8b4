"""The albums, started by their command, as a person sees them in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from tests.servers import Memcached, Redis
from tests.servers.process import running

ROOT = Path(__file__).parent.parent.parent
TIMEOUT = 20
# The browser does with its own cache as it does for a page.
FETCH = """
    const [path, done] = arguments;
    fetch(path).then(async answer => done({
        status: answer.status,
        cache: answer.headers.get("Cache-Status"),
        text: await answer.text(),
    }));
"""


@dataclass(frozen=True)
class Albums:
    """The running application."""

    url: str
    process: subprocess.Popen[bytes]

    def is_ready(self) -> bool:
        try:
            icon = f"{self.url}/static/icon.svg"
            with urllib.request.urlopen(icon, timeout=TIMEOUT) as answer:  # noqa: S310 - http
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture(params=["memory", "servers"])
def albums(
    request: pytest.FixtureRequest,
    redises: tuple[Redis, ...],
    memcacheds: tuple[Memcached, ...],
    tmp_path: Path,
) -> Iterator[Albums]:
    servers = [] if request.param == "memory" else [redises[0], memcacheds[0]]
    nodes = " ".join(server.url for server in servers)
    with running(
        lambda port: command(f"PORT={port}", f"KCACHE_NODES={nodes}", f"TMPDIR={tmp_path}"),
        lambda port, process: Albums(f"http://127.0.0.1:{port}", process),
    ) as started:
        yield started


def command(*variables: str) -> Sequence[str]:
    unset = "--unset=ALBUMS_DATABASE"
    return ["env", f"--chdir={ROOT}", unset, *variables, sys.executable, "-m", "examples.albums"]


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for word in ("headless", "window-size=1200,1000", "disable-dev-shm-usage"):
        options.add_argument(f"--{word}")
    if os.geteuid() == 0:
        # Chromium refuses to run as root unless told so.
        options.add_argument("--no-sandbox")
    # What the browser leaves behind is not left in /tmp.
    environment = {**os.environ, "TMPDIR": f"{tmp_path_factory.mktemp('chrome')}"}
    driver = Chrome(options, ChromeService("/usr/bin/chromedriver", env=environment))
    driver.set_script_timeout(TIMEOUT)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chrome: Chrome) -> Iterator[Chrome]:
    """A browser that has seen nothing, and that found nothing to complain of in the end."""
    chrome.execute_cdp_cmd("Network.clearBrowserCache", {})
    for kind in ("browser", "performance"):
        log(chrome, kind)
    yield chrome
    assert log(chrome, "browser") == []


def test_a_form_is_sent_and_its_change_is_seen_at_once(
    browser: Chrome, albums: Albums, tmp_path: Path
) -> None:
    browser.get(albums.url)
    assert "4 photos" in shown(browser)
    follow(browser, "A week in the Alps")
    fill(browser, photo="The summit", taken="2026-08-01")
    press(browser, "Add")
    assert "The summit\n2026-08-01" in shown(browser)
    fill(browser, title="Peaks")
    press(browser, "Rename")
    assert browser.find_element(By.TAG_NAME, "h1").text == "Peaks"
    browser.save_screenshot(f"{tmp_path}/album.png")

    follow(browser, "Albums")
    assert "Peaks\n5 photos" in shown(browser)
    assert "A week in the Alps" not in shown(browser)
    browser.save_screenshot(f"{tmp_path}/index.png")
    fill(browser, q="peak")
    press(browser, "Search")
    assert "1 album with “peak”" in shown(browser)
    assert "Peaks\n5 photos" in shown(browser)
    assert '"Peaks"' in fetch(browser, "/api/v1/albums/1")["text"]


def test_a_page_that_did_not_change_comes_from_the_cache_and_is_not_sent_again(
    browser: Chrome, albums: Albums
) -> None:
    browser.get(albums.url)
    made = footer(browser)
    log(browser, "performance")
    browser.get(albums.url)
    assert footer(browser) == made
    (answer,) = answers(browser, f"{albums.url}/")
    assert answer["statusCode"] == 304
    assert (
        "; hit"
        in {name.lower(): value for name, value in answer["headers"].items()}["cache-status"]
    )
    assert "; hit" in fetch(browser, "/")["cache"]


def test_a_photo_that_is_painted_is_seen_at_once_on_a_page_that_is_kept(
    browser: Chrome, albums: Albums
) -> None:
    browser.get(f"{albums.url}/albums/1")
    made, before = footer(browser), fetch(browser, "/photos/1.svg")
    press(browser, "Repaint")
    assert footer(browser) == made
    after = fetch(browser, "/photos/1.svg")
    assert before["status"] == after["status"] == 200
    assert before["text"] != after["text"]


@pytest.mark.parametrize("page", ["/", "/albums/1", "/search?q=a"])
def test_a_page_fits_a_small_screen(
    browser: Chrome, albums: Albums, tmp_path: Path, page: str
) -> None:
    size = {"width": 340, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(albums.url + page)
    browser.save_screenshot(f"{tmp_path}/small.png")
    widest = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert widest == 340


def shown(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "main").text


def footer(browser: Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, "footer time").text


def follow(browser: Chrome, text: str) -> None:
    leave(browser, By.PARTIAL_LINK_TEXT, text)


def press(browser: Chrome, label: str) -> None:
    leave(browser, By.XPATH, f"//button[normalize-space()='{label}']")


def leave(browser: Chrome, by: str, what: str) -> None:
    element = browser.find_element(by, what)
    element.click()
    # Between two pages the driver may know of an element's page no more, and say so in other words.
    wait = WebDriverWait(browser, TIMEOUT, ignored_exceptions=[WebDriverException])
    wait.until(staleness_of(element))


def fill(browser: Chrome, **values: str) -> None:
    for name, value in values.items():
        # What is typed into a field for a day depends on the language of the browser.
        browser.execute_script(
            "document.getElementById(arguments[0]).value = arguments[1]", name, value
        )


def log(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What was logged since this was asked last."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def fetch(browser: Chrome, path: str) -> dict[str, Any]:
    answer: dict[str, Any] = browser.execute_async_script(FETCH, path)
    return answer


def answers(browser: Chrome, url: str) -> list[dict[str, Any]]:
    """What the server answered for a URL since the log was read last."""
    events = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    requests = {
        event["params"]["requestId"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["request"]["url"] == url
    }
    return [
        event["params"]
        for event in events
        if event["method"] == "Network.responseReceivedExtraInfo"
        and event["params"]["requestId"] in requests
    ]
