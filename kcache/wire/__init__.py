"""The two protocols: commands to bytes, and bytes to replies. No I/O, no clock, no threads."""
