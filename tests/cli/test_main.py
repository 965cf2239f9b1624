"""The command itself: help, version, a missing extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from phosphene import __version__
from phosphene.cli import main


def test_help_names_every_command(run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in ("layers", "render", "replay", "recipes", "demo"))


def test_the_version_is_the_package_s(run) -> None:
    assert run("--version").stdout == f"phosphene {__version__}\n"


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "phosphene", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"phosphene {__version__}\n"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_install_line_is_printed(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["--help"]) == 2
    assert capsys.readouterr().err == "The command line needs the extra 'cli': pip install 'phosphene[cli]'\n"


def test_an_unknown_command_and_option_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paint"]) == 2
    assert "No such command 'paint'" in capsys.readouterr().err
    assert main(["layers", "--nope"]) == 2
    assert "No such option: --nope" in capsys.readouterr().err
