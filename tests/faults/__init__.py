"""Servers and proxies that do wrong, for tests of what kcache makes of it."""
