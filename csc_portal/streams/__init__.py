"""The process that serves server-sent events and nothing else: a thread for each who listens."""
