"""What both ends of the proxy need of the network: time limits, first steps, transports."""
