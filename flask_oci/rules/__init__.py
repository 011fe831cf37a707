"""Rules of owners and operators: protected tags, quotas, retention and visibility.

The modules are pure: they evaluate values and read no database.
"""
