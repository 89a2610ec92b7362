"""Names of the official checkpoints, one module for each family."""
