"""Many mails to servers that fail at random moments, and a check of each verdict against what they have taken."""
