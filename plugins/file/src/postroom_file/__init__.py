"""Mail for development: written as files that open in a mail program and a browser."""
