"""What both ends of the proxy need of the network: states, time limits, first steps, transports."""
