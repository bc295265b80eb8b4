"""Applications that show how kcache is used."""
