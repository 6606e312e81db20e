"""The ops, a family a file; each forward with its backward directly below it."""
