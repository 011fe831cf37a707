"""The pull-through cache: images of upstreams, fetched when clients pull them.

The modules need urllib3, which ``flask-oci[copy]`` installs, so nothing is imported
here.
"""
