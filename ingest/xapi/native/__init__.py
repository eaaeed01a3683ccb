"""The compiled way of statements; see reading.py one folder up."""
