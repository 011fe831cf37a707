"""Rules that owners and operators set, evaluated without a database."""
