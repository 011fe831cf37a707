"""Operations of a running registry: collection, checks, retention, health, metrics."""
