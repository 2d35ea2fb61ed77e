"""Language models: the float model, calibration, weights in few bits and what they cost."""
