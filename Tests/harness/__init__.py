"""What the tests of the running server share: the server itself, S3 requests, load, faults."""
