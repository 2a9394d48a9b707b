"""Cases and alerts in schemas that other programs know. Pure; pseudonyms, never names."""
