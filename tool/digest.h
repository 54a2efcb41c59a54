/* SPDX-License-Identifier: MIT */
/* SHA-256 of what a file transfer moved, so that people on both sides can compare, also with sha256sum(1). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct digest {
        uint32_t state[8];
        uint64_t size;
        unsigned char block[64]; /* what is not a whole block yet */
};
struct digest_text {
        char text[65];
};

void digest_start(struct digest *);
void digest_add(struct digest *, const void *data, size_t size);
struct digest_text digest_end(struct digest *);
