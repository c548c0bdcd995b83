"""Judges of synthetic speech: recognisers that transcribe it, and predictors of its naturalness.

`judge` has their protocol, `catalogue` their names. A judge's packages are imported when it is
loaded.
"""
