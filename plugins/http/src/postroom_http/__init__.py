"""What providers with an HTTP API share: settings, one JSON request and its answer, failures, parts of a payload."""
