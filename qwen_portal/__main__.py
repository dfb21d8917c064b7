"""``python -m qwen_portal`` is ``qwen-portal``."""

from qwen_portal.cli import main

if __name__ == "__main__":
    main()
