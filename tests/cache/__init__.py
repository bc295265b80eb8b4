"""What a user of `Cache` is promised, on every kind of node."""
