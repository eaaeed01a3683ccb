"""Pure: indicators over a student's days, the rules that raise warnings, and their episodes."""
