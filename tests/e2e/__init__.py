"""The whole platform as its user starts it: ``roundtrip up`` in a process of its own, everything real."""
