"""kcache against the programs that it agrees with, running."""
