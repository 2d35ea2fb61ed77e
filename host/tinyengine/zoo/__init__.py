"""The MCUNet family and our own networks: one declarative table, and builders for Keras."""
