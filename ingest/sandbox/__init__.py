"""What sandbox credentials send: checked, answered and read back like the real thing, and kept apart from it."""
