"""Every option once: a field of a group, from which help, checks, keys and the request follow."""
