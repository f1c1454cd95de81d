"""The words for precision and fidelity, best first."""

PRECISION = ("exact", "stable", "usable", "unstable")
FIDELITY = ("good", "fair", "poor")
