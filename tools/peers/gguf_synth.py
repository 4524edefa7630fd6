"""Writes GGUF files of random quantized weights, one tensor after the other. Scales are such that each weight has a
standard deviation of 1 / sqrt(columns), so that activations stay finite."""
from __future__ import annotations

import time
from collections.abc import Callable

import gguf
import numpy as np

Quant = gguf.GGMLQuantizationType

# Elements and bytes of a block.
BLOCKS = {
    Quant.Q4_0: (32, 18), Quant.Q4_1: (32, 20), Quant.Q8_0: (32, 34), Quant.Q4_K: (256, 144), Quant.Q6_K: (256, 210),
}

# Standard deviation of codes that are random bytes.
STD_OF_4_BITS, STD_OF_8_BITS, STD_OF_6_BITS = 4.61, 73.9, 18.5
MEAN_OF_4_BITS = 7.5

RANDOM = np.random.default_rng(1)
POOL_BYTES = 1 << 26
POOL = RANDOM.integers(0, 256, POOL_BYTES, dtype=np.uint8)  # reused from random offsets: making them anew is slow


def random_bytes(n_bytes: int) -> np.ndarray:
    out = np.empty(n_bytes, np.uint8)
    done = 0
    while done < n_bytes:
        begin = int(RANDOM.integers(0, POOL_BYTES // 2))
        n = min(n_bytes - done, POOL_BYTES - begin)
        out[done:done + n] = POOL[begin:begin + n]
        done += n
    return out


def random_blocks(quant: Quant, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 [..., rows, bytes of a row] of a matrix of `shape` [..., rows, cols]"""
    cols = shape[-1]
    block_elements, block_bytes = BLOCKS[quant]
    if cols % block_elements != 0:
        raise ValueError(f"{quant.name} blocks of {block_elements} do not divide rows of {cols}")
    n_blocks = int(np.prod(shape)) // block_elements
    std = 1.0 / np.sqrt(cols)
    blocks = random_bytes(n_blocks * block_bytes).reshape(n_blocks, block_bytes)
    jitter = (0.8 + 0.4 * RANDOM.random(4096)).astype(np.float32)

    def scales(base: float) -> np.ndarray:
        """float16 of each block, as bytes, around `base`"""
        values = np.resize((base * jitter).astype(np.float16), n_blocks)
        return values.view(np.uint8).reshape(n_blocks, 2)

    if quant == Quant.Q4_0:  # d, codes
        # Codes less 8 are half a step below zero in the mean. With scales of both signs weights are not: else all tokens
        # come to look alike from layer to layer, and routers choose the same experts for all.
        jitter *= RANDOM.choice(np.array([-1, 1], np.float32), jitter.size)
        blocks[:, 0:2] = scales(std / STD_OF_4_BITS)
    elif quant == Quant.Q4_1:  # d, least, codes
        blocks[:, 0:2] = scales(std / STD_OF_4_BITS)
        blocks[:, 2:4] = scales(-MEAN_OF_4_BITS * std / STD_OF_4_BITS)
    elif quant == Quant.Q8_0:  # d, codes
        blocks[:, 0:2] = scales(std / STD_OF_8_BITS)
    elif quant == Quant.Q4_K:  # d, dmin, 12 bytes of 6-bit scales and minima, here all equal, codes
        equal_scales = 36.0
        blocks[:, 0:2] = scales(std / STD_OF_4_BITS / equal_scales)
        blocks[:, 2:4] = scales(MEAN_OF_4_BITS * std / STD_OF_4_BITS / equal_scales)
        blocks[:, 4:16] = 0x9C
    elif quant == Quant.Q6_K:  # codes, 16 scales of 8 bits, d
        blocks[:, 192:208] = RANDOM.integers(20, 60, (1, 16), dtype=np.uint8)
        blocks[:, 208:210] = scales(std / STD_OF_6_BITS / 40)
    return blocks.reshape(*shape[:-1], cols // block_elements * block_bytes)


class GgufSynth:
    """A file whose tensors are announced in order, then made and written by finish()."""

    def __init__(self, path: str, architecture: str) -> None:
        self.path = path
        self.writer = gguf.GGUFWriter(path, architecture)
        self.makers: list[Callable[[], np.ndarray]] = []

    def quantized(self, name: str, quant: Quant, *shape: int) -> None:
        block_elements, block_bytes = BLOCKS[quant]
        stored = (*shape[:-1], shape[-1] // block_elements * block_bytes)
        self.writer.add_tensor_info(name, stored, np.dtype(np.uint8), int(np.prod(stored)), raw_dtype=quant)
        self.makers.append(lambda: random_blocks(quant, shape))

    def constant(self, name: str, *shape: int, value: float = 1.0) -> None:
        self._announce_f32(name, shape)
        self.makers.append(lambda: np.full(shape, value, np.float32))

    def values(self, name: str, values: list[float]) -> None:
        self._announce_f32(name, (len(values),))
        self.makers.append(lambda: np.array(values, np.float32))

    def random(self, name: str, *shape: int) -> None:
        self._announce_f32(name, shape)
        self.makers.append(lambda: (RANDOM.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32))

    def finish(self) -> None:
        began = time.monotonic()
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_ti_data_to_file()
        n_bytes = 0
        for make in self.makers:
            tensor = make()
            self.writer.write_tensor_data(tensor)
            n_bytes += tensor.nbytes
        self.writer.close()
        print(f"{self.path}: {n_bytes / 1e9:.3f} GB, {time.monotonic() - began:.0f} s")

    def _announce_f32(self, name: str, shape: tuple[int, ...]) -> None:
        self.writer.add_tensor_info(name, shape, np.dtype(np.float32), int(np.prod(shape)) * 4)
