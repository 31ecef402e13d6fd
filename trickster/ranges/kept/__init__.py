"""What the delta cache keeps of each query, and for how long."""
