"""The story engine: people, attacks, harmless events, and the truth about them."""
