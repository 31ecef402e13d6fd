"""Redis Cluster: which server has which slot, and what servers say of that."""
