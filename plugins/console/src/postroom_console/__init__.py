"""Mail for development: printed to the terminal."""
