"""The command line through its public door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

Run = Callable[..., Any]


@pytest.fixture
def run() -> Run:
    """Run ``phosphene`` with arguments; the result has exit_code, stdout and stderr."""
    from phosphene.cli.app import app

    def invoke(*arguments: object) -> Any:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="phosphene")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def mistake(run: Run) -> Callable[..., str]:
    """Run ``phosphene`` with a mistake in its arguments; returns the one message, on one line."""

    def invoke(*arguments: object) -> str:
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert result.stderr.count("Error:") == 1
        assert "Traceback" not in result.stderr
        return " ".join(result.stderr.split())

    return invoke
