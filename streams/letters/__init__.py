"""Dead letters as an operator works with them: read, judged, put into the log again or discarded."""
