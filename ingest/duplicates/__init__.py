"""Ids that are taken: one content an id, told at the door."""
