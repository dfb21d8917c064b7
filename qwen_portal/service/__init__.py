"""Facts about the service: its plans, its models, and the hosts that a bearer may go to.

May import the ground modules (errors, secrets) alone; nothing here sends, reads or keeps anything.
Hardest part: ``hosts``, whose rule decides where a secret goes.
"""
