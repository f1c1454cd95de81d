"""The run folder: paths, whole files or none, locks, parts, resume, found again."""
