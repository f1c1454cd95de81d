"""The words in which the precision and the fidelity of an explanation are told, best first."""

PRECISION = ("exact", "stable", "usable", "unstable")
UNSTEADY = "unsteady"
"""The precision of a model that does not answer the same rows alike: no error of draws tells it."""
FIDELITY = ("good", "fair", "poor")
