"""What keeps a registry in order: plain functions, for commands and schedulers."""
