"""Two nodes of the forge on one machine, with PostgreSQL, an object store and nginx.

python -m example_app.nodes
"""
