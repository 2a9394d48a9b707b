"""What the commands in this folder are made of; run them, not these modules."""
