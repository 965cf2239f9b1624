"""Adapters: one module per peer, each with `render`, at the peer's own defaults; see `peers.common`."""
