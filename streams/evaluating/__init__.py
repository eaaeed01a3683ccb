"""Reports on the quality of models: reads data, runs the code of the stream over it, measures, and draws."""
