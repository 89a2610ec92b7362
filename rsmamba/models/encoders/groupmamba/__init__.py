"""The GroupMamba family."""
