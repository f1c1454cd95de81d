"""Texts: a column of a table or a line each, whose features are units such as words."""
