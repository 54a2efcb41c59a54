/* SPDX-License-Identifier: MIT */
/*
 * The few operations on shared words that a ring is made of, by the names under which docs/internals/ring.md argues for them. One place, so that a
 * model, a sanitizer or a reader of disassembly finds every store that another process can see.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint32_t shared32;
typedef _Atomic uint64_t shared64;

#define load_relaxed(word)         atomic_load_explicit(word, memory_order_relaxed)
#define load_acquire(word)         atomic_load_explicit(word, memory_order_acquire)
#define store_relaxed(word, value) atomic_store_explicit(word, value, memory_order_relaxed)
#define store_release(word, value) atomic_store_explicit(word, value, memory_order_release)
/* Both also order what is before against what is after, which a load and a store alone do not. */
#define set_bits(word, bits)   atomic_fetch_or_explicit(word, bits, memory_order_seq_cst)
#define clear_bits(word, bits) atomic_fetch_and_explicit(word, ~(bits), memory_order_seq_cst)
#define add_one(word)          atomic_fetch_add_explicit(word, 1, memory_order_seq_cst)
/* What this thread stored before is seen by all who go through a locked operation of theirs after this; what those had stored is seen from here on. */
#define catch_up() atomic_thread_fence(memory_order_seq_cst)
/* From `was` to `value`; if it is something else, `was` gets that. */
#define swap_if(word, was, value) atomic_compare_exchange_strong_explicit(word, was, value, memory_order_acquire, memory_order_relaxed)
