"""The VMamba family."""
