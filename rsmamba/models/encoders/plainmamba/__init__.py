"""The PlainMamba family."""
