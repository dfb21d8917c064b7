"""The way on when a quota is used up: the next account, a shorter answer, the qwen command.

May import session and what is below it. Decides, and sends nothing but the question to the qwen command.
Hardest part: ``attempts``, whose order must hold for every mix of strategies, cool-downs and failures.
"""
