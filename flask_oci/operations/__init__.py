"""Operation of a registry: garbage collection, checks, retention, health, logs,
metrics."""
