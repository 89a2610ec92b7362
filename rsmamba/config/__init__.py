"""Configuration files: the only place that knows YAML and pydantic."""
