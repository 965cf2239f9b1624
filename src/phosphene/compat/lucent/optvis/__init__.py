"""What Lucent calls ``optvis``: ``render``, ``param``, ``transform`` and ``objectives``."""
