"""Published xAPI clients against the running platform."""
