"""What goes into a network and what comes out of it: metadata, pictures, answers."""
