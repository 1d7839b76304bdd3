"""A case for each layer of Keras 3 that models may hold: the shape of a sample, and the model made of the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

__all__ = ["AUGMENTING", "FAMILIES", "REFUSED", "Case"]

STEPS, PIXELS, VOXELS = (8, 3), (6, 8, 3), (4, 4, 6, 2)
AXES = {"1D": STEPS, "2D": PIXELS, "3D": VOXELS}


@dataclass(frozen=True)
class Case:
    """build: a model, of keras and its input. tokens: how many there are, where samples are made of them."""

    shape: tuple[int, ...]
    build: Callable[[Any, Any], Any]
    bound: float = 4.0
    tokens: int = 0


def layer(kind: str, *sizes: Any, shape: tuple[int, ...] = PIXELS, bound: float = 4.0, **options: Any) -> Case:
    return Case(shape, lambda keras, x: getattr(keras.layers, kind)(*sizes, **options)(x), bound)


def of(shape: tuple[int, ...], build: Callable[[Any, Any], Any], **facts: Any) -> Case:
    return Case(shape, lambda keras, x: build(keras.layers, x), **facts)


def along(kind: str, *sizes: Any, **options: Any) -> dict[str, Case]:
    """One layer for each number of axes."""
    words = " ".join([*map(str, sizes), *map(str, options.values())])
    return {f"{kind}{axes} {words}": layer(f"{kind}{axes}", *sizes, shape=AXES[axes], **options) for axes in AXES}


CONVOLUTIONS = {
    **along("Conv", 4, 3, padding="same"),
    **along("Conv", 4, 3, strides=2, padding="same"),
    **along("Conv", 4, 3, strides=2),
    **along("Conv", 4, 2, dilation_rate=2, padding="same"),
    "Conv1D causal": layer("Conv1D", 4, 3, padding="causal", shape=STEPS),
    "Conv2D in groups": layer("Conv2D", 4, 3, groups=2, shape=(6, 8, 4)),
    "Conv2D channels first": layer("Conv2D", 4, 3, data_format="channels_first", shape=(3, 6, 8)),
    "DepthwiseConv1D": layer("DepthwiseConv1D", 3, depth_multiplier=2, padding="same", shape=STEPS),
    "DepthwiseConv2D": layer("DepthwiseConv2D", 3, depth_multiplier=2, padding="same"),
    "SeparableConv1D": layer("SeparableConv1D", 4, 3, padding="same", shape=STEPS),
    "SeparableConv2D": layer("SeparableConv2D", 4, 3, strides=2, padding="same"),
}

TRANSPOSED = {
    f"Conv{axes}Transpose {padding}": layer(f"Conv{axes}Transpose", 4, 3, strides=2, padding=padding, shape=shape)
    for axes, shape in AXES.items()
    for padding in ("valid", "same")
}

POOLS = {
    **along("MaxPooling", 2),
    **along("MaxPooling", 3, strides=2, padding="same"),
    **along("AveragePooling", 2),
    **along("AveragePooling", 3, strides=2, padding="same"),
}

POOLS_OF_ALL = {
    **along("GlobalMaxPooling"),
    **along("GlobalAveragePooling", keepdims=True),
    **along("AdaptiveAveragePooling", 2),
    **along("AdaptiveMaxPooling", 2),
}

PLACES = {
    **along("UpSampling", 2),
    **along("ZeroPadding", 1),
    **along("Cropping", 1),
    "UpSampling2D bilinear": layer("UpSampling2D", 2, interpolation="bilinear"),
    "UpSampling2D bicubic": layer("UpSampling2D", 2, interpolation="bicubic"),
    "Resizing": layer("Resizing", 9, 5),
    "Resizing nearest": layer("Resizing", 9, 5, interpolation="nearest"),
    "Resizing antialiased": layer("Resizing", 3, 5, antialias=True),
    "Resizing bicubic": layer("Resizing", 9, 5, interpolation="bicubic"),
    "Resizing with a crop": layer("Resizing", 4, 4, crop_to_aspect_ratio=True),
    "CenterCrop": layer("CenterCrop", 4, 4),
    "Rescaling": layer("Rescaling", 0.25, offset=-0.5),
    "Normalization": layer("Normalization", mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5]),
    "Flatten": layer("Flatten"),
    "Reshape": layer("Reshape", (-1, 3)),
    "Permute": layer("Permute", (3, 1, 2)),
    "RepeatVector": layer("RepeatVector", 3, shape=(6,)),
    "Masking": layer("Masking", shape=STEPS),
    "Identity": layer("Identity"),
}

NAMES = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "softplus", "softsign", "softmax"),
    *("log_softmax", "log_sigmoid", "sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hard_shrink"),
    *("soft_shrink", "tanh", "tanh_shrink", "linear", "mish", "glu", "squareplus", "sparse_plus", "sparse_sigmoid"),
    "sparsemax",
)

ACTIVATIONS = {
    **{name: layer("Activation", name, shape=(4, 6)) for name in NAMES},
    "exponential": layer("Activation", "exponential", shape=(4, 6), bound=2.0),
    "threshold": Case((4, 6), lambda keras, x: keras.ops.threshold(x, 0.5, -0.25)),
    "gelu exactly": Case((4, 6), lambda keras, x: keras.activations.gelu(x, approximate=False)),
    "PReLU": layer("PReLU", alpha_initializer="glorot_uniform"),
    "PReLU of channels": layer("PReLU", alpha_initializer="glorot_uniform", shared_axes=[1, 2]),
    "LeakyReLU": layer("LeakyReLU", 0.2),
    "ELU": layer("ELU", 0.7),
    "ReLU": layer("ReLU", max_value=2.5, negative_slope=0.1, threshold=0.5),
    "Softmax of axes": layer("Softmax", axis=(1, 2), shape=STEPS),
}

DENSE = {
    "Dense": layer("Dense", 4, shape=(6,)),
    "Dense of steps": layer("Dense", 4, activation="relu", shape=STEPS),
    "EinsumDense": layer("EinsumDense", "abc,cd->abd", output_shape=(None, 5), bias_axes="d", shape=STEPS),
    "SpectralNormalization": of(STEPS, lambda L, x: L.SpectralNormalization(L.Dense(4))(x)),
    **{
        kind: of(STEPS, lambda L, x, kind=kind: getattr(L, kind)()([L.Dense(3)(x), L.Dense(3)(x)]))
        for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
    },
    "Concatenate along an axis": of(STEPS, lambda L, x: L.Concatenate(axis=1)([x, L.Dense(3)(x)])),
    "Dot": of(STEPS, lambda L, x: L.Dot(axes=(2, 2))([x, L.Dense(3)(x)])),
    "Dot of unit rows": of(STEPS, lambda L, x: L.Dot(axes=(2, 2), normalize=True)([x, L.Dense(3)(x)])),
    "TimeDistributed": of((3, 5, 5, 2), lambda L, x: L.TimeDistributed(L.Conv2D(4, 3))(x)),
    "ActivityRegularization": layer("ActivityRegularization", 0.1),
    **{
        kind: layer(kind, 0.3, shape=shape)
        for kind, shape in {
            **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"), STEPS),
            "SpatialDropout2D": PIXELS,
            "SpatialDropout3D": VOXELS,
        }.items()
    },
}

NORMALISATIONS = {
    "BatchNormalization": layer("BatchNormalization"),
    "BatchNormalization of rows": layer("BatchNormalization", axis=1, scale=False),
    "LayerNormalization": layer("LayerNormalization", shape=STEPS),
    "LayerNormalization of axes": layer("LayerNormalization", axis=(1, 2, 3)),
    "GroupNormalization": layer("GroupNormalization", groups=3, shape=(4, 4, 6)),
    "GroupNormalization of channels": layer("GroupNormalization", groups=-1, shape=(4, 4, 6)),
    "RMSNormalization": layer("RMSNormalization", shape=STEPS),
    "UnitNormalization": layer("UnitNormalization", shape=STEPS),
    "UnitNormalization of an axis": layer("UnitNormalization", axis=1, shape=STEPS),
}

ATTENTION = {
    "Attention": of(STEPS, lambda L, x: L.Attention()([x, x])),
    "Attention scaled": of(STEPS, lambda L, x: L.Attention(use_scale=True)([x, L.Dense(3)(x)])),
    "Attention of sums": of(STEPS, lambda L, x: L.Attention(score_mode="concat")([x, x])),
    "Attention to the past": of(STEPS, lambda L, x: L.Attention()([x, x], use_causal_mask=True)),
    "AdditiveAttention": of(STEPS, lambda L, x: L.AdditiveAttention()([x, x])),
    "MultiHeadAttention": of((8, 4), lambda L, x: L.MultiHeadAttention(2, 4)(x, x)),
    "MultiHeadAttention to the past": of((8, 4), lambda L, x: L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)),
    "GroupQueryAttention": of((8, 4), lambda L, x: L.GroupQueryAttention(4, 4, 2)(x, x)),
}


def recurrent(kind: str) -> dict[str, Case]:
    def made(build: Callable[[Any, Any, Any], Any]) -> Case:
        return of((5, 3), lambda L, x: build(L, x, getattr(L, kind)))

    return {
        kind: made(lambda L, x, R: R(4)(x)),
        f"{kind} backwards": made(lambda L, x, R: R(4, return_sequences=True, go_backwards=True)(x)),
        f"{kind} both ways": made(lambda L, x, R: L.Bidirectional(R(4, return_sequences=True))(x)),
        f"{kind} unrolled": made(lambda L, x, R: R(4, unroll=True)(x)),
        f"{kind} of masked steps": made(lambda L, x, R: R(4)(L.Masking()(x))),
    }


STACKED = {
    "GRU that resets before": layer("GRU", 4, reset_after=False, shape=(5, 3)),
    "cells on cells": of((5, 3), lambda L, x: L.RNN([L.LSTMCell(4), L.GRUCell(3)])(x)),
    "both ways added": of((5, 3), lambda L, x: L.Bidirectional(L.LSTM(4), merge_mode="sum")(x)),
    "ConvLSTM1D": layer("ConvLSTM1D", 3, 3, padding="same", shape=(3, 6, 2)),
    "ConvLSTM2D": layer("ConvLSTM2D", 3, 3, padding="same", shape=(3, 4, 4, 2)),
}


def attending(L: Any, x: Any) -> Any:
    """Where a token is none, 32 bits make its row of scores equal: what follows leaves it out."""
    return L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 4)(x, x))


tokens = partial(of, (6,), bound=16.0, tokens=9)
EMBEDDINGS = {
    "Embedding": tokens(lambda L, x: L.Embedding(9, 4)(x)),
    "mean of tokens": tokens(lambda L, x: L.GlobalAveragePooling1D()(L.Embedding(9, 4, mask_zero=True)(x))),
    "LSTM of tokens": tokens(lambda L, x: L.LSTM(3)(L.Embedding(9, 4, mask_zero=True)(x))),
    "GRU of tokens": tokens(lambda L, x: L.Bidirectional(L.GRU(3))(L.Embedding(9, 4, mask_zero=True)(x))),
    "multi-head attention of tokens": tokens(lambda L, x: attending(L, L.Embedding(9, 4, mask_zero=True)(x))),
    "attention of tokens": tokens(lambda L, x: L.Attention()([L.Embedding(9, 4, mask_zero=True)(x)] * 2)),
}

FAMILIES = {
    "convolutions": CONVOLUTIONS,
    "transposed convolutions": TRANSPOSED,
    "pools": POOLS,
    "pools of all": POOLS_OF_ALL,
    "places": PLACES,
    "activations": ACTIVATIONS,
    "dense": DENSE,
    "normalisations": NORMALISATIONS,
    "attention": ATTENTION,
    "SimpleRNN": recurrent("SimpleRNN"),
    "LSTM": recurrent("LSTM"),
    "GRU": recurrent("GRU"),
    "stacked": STACKED,
    "embeddings": EMBEDDINGS,
}

REFUSED = {
    "CategoryEncoding": tokens(lambda L, x: L.CategoryEncoding(9, output_mode="multi_hot")(x)),
}
AUGMENTING = {
    "RandomFlip": layer("RandomFlip"),
    "RandomRotation": layer("RandomRotation", 0.1),
    "RandomCrop": layer("RandomCrop", 4, 4),
}
"""What draws random numbers, in a call that does not say training=False."""
