"""A streamed answer through LiteLLM.

Sign in once with ``qwen-portal login``, then: pip install "qwen-portal[litellm]"
"""

import sys

import litellm

import litellm_qwen_portal  # noqa: F401 - importing registers the provider


def main() -> None:
    """Ask the question on the command line, and print the answer as it comes."""
    question = " ".join(sys.argv[1:]) or "What is 17 + 25?"
    messages = [{"role": "user", "content": question}]
    for chunk in litellm.completion("qwen-portal/coder-model", messages, stream=True):
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
