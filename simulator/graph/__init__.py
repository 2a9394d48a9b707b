"""Microsoft Graph, as far as a security portal uses it."""
