"""Measures registries side by side: ``python -m benchmarks``.

Every registry runs on this machine, in a folder and on a port of its own, and is
asked the same by the same client, in turns.
"""
