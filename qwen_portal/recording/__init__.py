"""Records of requests: the ledger's rows and the request log's files, each only if the user wants it.

May import requests, answers, account, storage, settings and service. Knows no HTTP library.
Hardest part: ``recorder``, because a stream may end in a finalizer, where nothing may wait and no thread may start.
"""
