"""The VSSD family."""
