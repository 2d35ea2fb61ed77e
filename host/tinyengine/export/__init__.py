"""Networks in other people's firmware."""
