"""A real browser: headless, with a fresh profile, and never out into the network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

PAGE_S = 30
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,1250",
)


@contextmanager
def browsing(profile: Path) -> Generator[webdriver.Chrome]:
    """While the block lasts, Chromium with a profile of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SE_OFFLINE", "true")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        options = Options()
        options.binary_location = str(CHROMIUM)
        for switch in (*SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        # No page of the browser's own: its new tab costs a second and asks for a hundred files.
        options.add_experimental_option(
            "prefs", {"session": {"restore_on_startup": 4, "startup_urls": ["about:blank"]}}
        )
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
        driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        driver.set_page_load_timeout(PAGE_S)
        try:
            yield driver
        finally:
            driver.quit()


def until(browser: webdriver.Chrome, done: Callable[[webdriver.Chrome], object]) -> None:
    WebDriverWait(browser, PAGE_S, poll_frequency=0.1).until(done)


@contextmanager
def untroubled(browser: webdriver.Chrome) -> Generator[None]:
    """While the block lasts, a window of usual size in which nothing has happened yet; the page complains of nothing."""
    browser.get("about:blank")
    metrics(browser, 1280, 800)
    scheme(browser, "light")
    complaints(browser)
    asked(browser)
    yield
    assert complaints(browser) == []


def metrics(browser: webdriver.Chrome, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def scheme(browser: webdriver.Chrome, name: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": name}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def complaints(browser: webdriver.Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def asked(browser: webdriver.Chrome) -> list[str]:
    """Addresses of all that pages have asked for since this was called last: pictures of styles and of scripts too, and
    from disk as well, where a page has no list of its own.
    """
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
