"""Stand-ins for ticket systems: each speaks its own published wire format over real TLS."""
