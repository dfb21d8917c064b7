"""The chat host's wire: connections and pools, a request sent and repeated, how much of an answer is read.

May import recording, requests, answers, account, storage, settings and service. Chooses no account, fetches no token.
Hardest part: ``cancel_safe`` and ``open_responses``: no connection may be lost, wherever a call is ended.
"""
