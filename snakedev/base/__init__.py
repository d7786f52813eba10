"""What every room builds on: errors, records, running programs, a job's log, git, YAML, the CPU."""
