"""The pure part of the LRS: bytes to statements, their faults, their stamps and their keys. No clock, no clients."""
