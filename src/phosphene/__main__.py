"""``python -m phosphene`` is the command ``phosphene``."""

from __future__ import annotations

import sys

from phosphene.cli import main

if __name__ == "__main__":
    sys.exit(main())
