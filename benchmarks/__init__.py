"""Measurements of registries, side by side: ``python -m benchmarks``.

Every registry runs on this machine, with its own folder and port. The same client sends
the same requests to each, in turns.
"""
