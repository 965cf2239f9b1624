"""Sessions: a closed loop with an experiment, as a directory that survives anything."""

from __future__ import annotations

from phosphene.sessions.folder import run_folder, take_in
from phosphene.sessions.history import GenerationRow, History, TrialRow
from phosphene.sessions.plan import Plan, Thread
from phosphene.sessions.report import write_report
from phosphene.sessions.session import Session
from phosphene.sessions.snapshot import Snapshot
from phosphene.sessions.status import Status, ThreadStatus
from phosphene.sessions.values import Pick, Receipt, Showing, Trial

__all__ = [
    "GenerationRow",
    "History",
    "Pick",
    "Plan",
    "Receipt",
    "Session",
    "Showing",
    "Snapshot",
    "Status",
    "Thread",
    "ThreadStatus",
    "Trial",
    "TrialRow",
    "run_folder",
    "take_in",
    "write_report",
]
