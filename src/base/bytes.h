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
