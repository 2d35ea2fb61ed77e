"""Training recipes that run on a PC: from labelled pictures to a Keras network ready for int8 conversion."""
