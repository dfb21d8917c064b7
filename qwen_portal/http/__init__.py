"""The chat host's wire: requests built, sent and repeated; answers, streams and errors read.

May import account, storage, settings and service. Chooses no account and fetches no token.
Hardest part: ``refusals``, because the service says the same thing in many forms.
"""
