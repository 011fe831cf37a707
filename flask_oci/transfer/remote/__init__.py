"""Other registries, as sources and targets of transfers.

The modules need urllib3, which ``flask-oci[copy]`` installs, so nothing is imported
here.
"""
