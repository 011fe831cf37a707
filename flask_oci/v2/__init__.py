"""The endpoints of spec.md, one module for each of its sections.

A view reads like its paragraph there: admit the request, ask the catalog or the
storage, answer with headers.
"""
