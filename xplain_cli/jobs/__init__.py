"""The jobs of commands: explain, compare, evaluate, merge, gate, report, deliver."""
