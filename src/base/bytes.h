/* SPDX-License-Identifier: MIT */
/* Small helpers over plain numbers and bytes. */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* Each side may be evaluated twice: no call belongs in there. */
#define MIN(a, b)                           ((a) < (b) ? (a) : (b))
#define MAX(a, b)                           ((a) > (b) ? (a) : (b))
#define likely(x)                           __builtin_expect(!!(x), 1)
#define unlikely(x)                         __builtin_expect(!!(x), 0)
#define always_inline                       inline __attribute__((always_inline))
#define never_inline                        __attribute__((noinline))
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void put_le16(void *to, uint16_t v)
{
        v = htole16(v);
        memcpy(to, &v, sizeof(v));
}
static inline void put_le32(void *to, uint32_t v)
{
        v = htole32(v);
        memcpy(to, &v, sizeof(v));
}
static inline uint16_t get_le16(const void *from)
{
        uint16_t v;

        memcpy(&v, from, sizeof(v));
        return le16toh(v);
}
static inline uint32_t get_le32(const void *from)
{
        uint32_t v;

        memcpy(&v, from, sizeof(v));
        return le32toh(v);
}
static inline void put_le64(void *to, uint64_t v)
{
        put_le32(to, (uint32_t)v);
        put_le32((char *)to + 4, (uint32_t)(v >> 32));
}
static inline uint64_t get_le64(const void *from)
{
        return get_le32(from) | (uint64_t)get_le32((const char *)from + 4) << 32;
}

/* As memcpy(3), which is not called for 32 to 64 bytes, as most messages are: two halves that may overlap. */
static always_inline void copy_bytes(void *to, const void *from, uint64_t size)
{
        typedef unsigned char quarter __attribute__((vector_size(16)));
        const unsigned char *in = from;
        unsigned char *out = to;
        quarter a, b, c, d;

        if (likely(size >= 32 && size <= 64)) {
                memcpy(&a, in, 16);
                memcpy(&b, in + 16, 16);
                memcpy(&c, in + size - 32, 16);
                memcpy(&d, in + size - 16, 16);
                memcpy(out, &a, 16);
                memcpy(out + 16, &b, 16);
                memcpy(out + size - 32, &c, 16);
                memcpy(out + size - 16, &d, 16);
        } else if (size) {
                memcpy(out, in, size);
        }
}
