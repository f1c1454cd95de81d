"""Tables: columns are features, or groups of columns."""
