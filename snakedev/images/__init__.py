"""Container images, of run environments and of the workflow, as OCI archives, without a daemon."""
