"""The engine explains one chunk: predictions, requests of methods answered together, records."""
