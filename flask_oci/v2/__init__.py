"""The endpoints of spec.md, one module for each of its sections.

A view authorizes the request, calls the catalog or the storage, and returns a response
with the headers that the section requires.
"""
