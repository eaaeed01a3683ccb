"""Actors to students: pure matching, and a cached resolver over the registry."""
