"""What the tests of the atlas's pages do with a browser."""

from __future__ import annotations

from browsers import until
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement


def opened(browser: webdriver.Chrome, address: str) -> None:
    """Load a page anew, until it shows its content or what is wrong."""
    browser.get("about:blank")  # else another fragment is no new load
    browser.get(address)
    until(browser, lambda b: is_shown(b, "main") or is_shown(b, "problem"))


def at(browser: webdriver.Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def text(browser: webdriver.Chrome, name: str) -> str:
    return at(browser, name).text


def is_shown(browser: webdriver.Chrome, name: str) -> bool:
    return at(browser, name).is_displayed()


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    return [element.text for element in browser.find_elements(By.CSS_SELECTOR, selector)]


def titled(browser: webdriver.Chrome, title: str) -> None:
    """Wait for the page of that title."""
    until(browser, lambda b: b.find_elements(By.ID, "title") and text(b, "title") == title)


def drawn(browser: webdriver.Chrome, selector: str) -> None:
    """Wait for pictures that are there wholly."""
    script = "return [...document.querySelectorAll(arguments[0])].every(e => e.complete && e.naturalWidth > 0)"
    until(browser, lambda b: b.find_elements(By.CSS_SELECTOR, selector) and b.execute_script(script, selector))


def press(browser: webdriver.Chrome, *keys: str) -> None:
    ActionChains(browser, duration=10).send_keys(*keys).perform()


def fragment(browser: webdriver.Chrome) -> str:
    return browser.current_url.partition("#")[2]
