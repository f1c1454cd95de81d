"""Measures of trust: stability, fidelity, agreement, precision target, summary, gates."""
