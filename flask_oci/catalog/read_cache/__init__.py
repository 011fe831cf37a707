"""The read cache: rows that are valid for one version of the database.

A database tells cheaply whether anything has been committed since a row was read. Until
then, the row is what the database would return. The page docs/design.md has the
reasons, under "Read cache".
"""

from .reads import CachedReads

__all__ = ["CachedReads"]
