"""Measurements of kcache against floors and peers; see README.md here."""
