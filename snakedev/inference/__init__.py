"""Models, and smoke runs: vLLM started in a run environment, its answers and its record."""
