"""The accounts of this user: what is known of each, which one serves, how long its quota is used up.

May import storage, settings and service. Holds no secret but a key from the environment.
Hardest part: ``registry``, where the index and the stores must agree whatever fails between them.
"""
