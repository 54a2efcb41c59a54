/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C (Castagnoli): the checksum that processors have an instruction for. It finds every error of up to five bits in a record of some
 * hundred bytes and every run of up to 32, and overlooks one in four billion of the rest. It is no defence against a forger.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, which is 0 at the start: crc32c(crc32c(0, a), b) is that of a and b behind each other. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The same without the instruction: for processors that lack it, and to test one against the other. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);
