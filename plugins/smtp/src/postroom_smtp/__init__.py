"""What every SMTP provider of postroom is made of. A provider adds a way to log in; see `postroom_smtp_basic`."""
