"""From a network to an image on a board: C compilers, PlatformIO, firmware, flashing."""
