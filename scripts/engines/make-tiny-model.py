"""Writes a tiny random Llama that real engines can serve: 2 layers, a byte-level BPE of 1,024 tokens, a chat template.

Usage: python make-tiny-model.py DIRECTORY      (in a venv with transformers, tokenizers and torch; takes seconds, 1.2 MB)

What it says is noise; that it is loaded, batched, streamed and measured like any model is what tests need. The weights come from a
fixed seed. The directory appears whole or not at all.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 1024
CONTEXT_TOKENS = 2048
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL_TOKENS = ["<|begin|>", "<|end|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>"]


def text_lines():
    """Text that every machine with Python has: the standard library's own sources."""
    library = Path(sysconfig.get_path("stdlib"))
    for file in sorted(library.glob("*.py"))[:120]:
        yield from file.read_text(encoding="utf8", errors="replace").splitlines()


def train_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text_lines(), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>", model_max_length=CONTEXT_TOKENS
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def make_model(tokenizer):
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).to(torch.bfloat16)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = Path(sys.argv[1])
    building = directory.with_name(f"{directory.name}.{os.getpid()}")
    tokenizer = train_tokenizer()
    tokenizer.save_pretrained(building)
    make_model(tokenizer).save_pretrained(building, safe_serialization=True)
    shutil.rmtree(directory, ignore_errors=True)
    building.rename(directory)


main()
