"""From the configuration to what is to be made: specs, their order, and the checks before a run."""
