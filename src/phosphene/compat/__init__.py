"""Doors for people who come from another program: its names and semantics, on phosphene's engine."""
