"""All that comes over the network: indexes, uv, archives, Debian, git mirrors, the model hub."""
