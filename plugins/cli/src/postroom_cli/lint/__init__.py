"""`postroom lint`: what is wrong with a message or a template before it is sent."""
