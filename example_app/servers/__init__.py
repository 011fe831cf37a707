"""Servers for the forge, besides the gunicorn of gunicorn.conf.py."""
