"""Other registries, as places that images come from and go to.

Talking to them needs urllib3, which ``flask-oci[copy]`` brings, so nothing is imported
here.
"""
