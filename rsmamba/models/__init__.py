"""Networks, and the wrapper that makes one predict scenes."""
