"""Many mails, servers that fail at random moments, and the check that every verdict agrees with what they have taken."""
