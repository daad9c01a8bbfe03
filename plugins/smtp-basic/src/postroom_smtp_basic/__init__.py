"""SMTP with a user name and password, or with no login at all."""
