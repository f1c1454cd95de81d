"""The words for precision and fidelity, best first."""

PRECISION = ("exact", "stable", "usable", "unstable")
UNSTEADY = "unsteady"
"""The precision of a model that does not answer the same rows alike: no error of draws tells it."""
FIDELITY = ("good", "fair", "poor")
