"""What this machine has, and what builds use of it: compilers, GPUs, sandbox, job server."""
