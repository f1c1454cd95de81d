"""The door for pickles: judged in a dry run, then loaded strictly."""
