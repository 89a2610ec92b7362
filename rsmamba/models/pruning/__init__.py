"""Token pruning: which tokens an encoder drops on the way, and after which blocks."""
