"""What every message to a user must hold: the file, the place and the mend."""

import re

PLACE = re.compile(
    r"\b(lines?|rows?|columns?|bytes?|header|shape|cells?|keys?)\b|--[a-z]", re.IGNORECASE
)
MEND = re.compile(
    r"--[a-z][a-z-]+|\b(add|break|change|check|export|fit|flatten|map|name|pipe|quote|remove|rename"
    r"|reshape|save|set|store|take|try|unpack|write|written)\b"
)


def is_clear(message, name, *, whole=False):
    """Return what a message lacks of the file *name*, a place unless *whole*, and what to do."""
    place = whole or PLACE.search(message)
    parts = {"file": name in message, "place": place, "mend": MEND.search(message)}
    return [part for part, found in parts.items() if not found] + ["one line"] * ("\n" in message)


def assert_clear(outcome, name, reasons=(), *, whole=False):
    """
    Assert that a run ended as a run may on a broken input, and told it clearly.

    Parameters
    ----------
    outcome
        What the command left.
    name
        The file, or the option, that is at fault.
    whole
        True: nothing in the file is at fault but the file itself, such as its kind.
    reasons
        The errors of the failed records, where the run went on.
    """
    assert outcome.code in {2, 3, 4}, outcome.err
    assert "Traceback" not in outcome.err
    errors = [line[7:] for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == (outcome.code != 4), outcome.err
    assert errors or reasons, outcome.err
    lacking = {message: is_clear(message, name, whole=whole) for message in (*errors, *reasons)}
    assert {message: parts for message, parts in lacking.items() if parts} == {}
