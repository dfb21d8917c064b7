"""Everything kept on disk or in a keyring: credentials, the account index, locks and the journal of refreshes.

May import settings and service. Knows nothing of requests or of people.
Hardest part: ``stores.keyring``, where a value may be too long, locked, or lost by the keyring itself.
"""
