"""Training on the device, decided at build time: what is updated, what it costs, which gradients it needs."""
