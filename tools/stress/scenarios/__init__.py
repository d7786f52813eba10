"""The scenarios: one module each, with a class `Stress`."""
