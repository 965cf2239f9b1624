"""The tests of the session's server share a rig: sessions that are small, a neuron, and servers that end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium import webdriver

sys.path.insert(0, str(Path(__file__).parent))

from session_rig import Served, make_session, served


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Served]:
    """A server in a thread, over a new session with two threads and two reference images."""
    with served(make_session(tmp_path / "session")) as it:
        yield it


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One for all pages: a window costs less than a browser. See ``browsers.untroubled``."""
    from browsers import browsing

    with browsing(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
