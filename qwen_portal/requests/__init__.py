"""Requests to the chat host, made ready to send: address, headers, messages, thinking, the capped body.

May import answers, account, storage, settings and service. Sends nothing, and knows no HTTP library.
Hardest part: ``history``, because the service refuses what a model itself has said, if that was cut short.
"""
