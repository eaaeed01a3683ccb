"""Pure: what one statement of an envelope becomes in the tables."""
