"""The oracle of training: gradients in float and in the integers that the device uses, and the update of weights."""
