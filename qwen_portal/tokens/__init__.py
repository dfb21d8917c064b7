"""One valid access token per account, however many threads, tasks and processes ask for it.

May import oauth, account and storage. Sends nothing itself.
Hardest part: ``refresh``, the transaction that must not lose a single-use refresh token, whatever ends it.
"""
