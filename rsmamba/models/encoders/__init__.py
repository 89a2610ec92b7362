"""The state-space encoders, one package for each family."""
