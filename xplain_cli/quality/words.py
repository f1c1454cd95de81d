"""The words in which the precision and the fidelity of an explanation are told, best first."""

PRECISION = ("exact", "stable", "usable", "unstable")
FIDELITY = ("good", "fair", "poor")
