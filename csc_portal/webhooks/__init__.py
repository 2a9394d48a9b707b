"""Webhooks out: what happened is told to other programs, at least once, signed.

the queue's changes -> collect -> rows of WebhookDelivery -> deliver -> the receiver
what is looked for now and then (looked_for) ->
"""
