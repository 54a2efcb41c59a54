/* SPDX-License-Identifier: MIT */
/* Small helpers over plain numbers and bytes. */
#pragma once

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
        unsigned char *p = to;
        p[0] = (unsigned char)v;
        p[1] = (unsigned char)(v >> 8);
}
static inline void put_le32(void *to, uint32_t v)
{
        put_le16(to, (uint16_t)v);
        put_le16((char *)to + 2, (uint16_t)(v >> 16));
}
static inline uint16_t get_le16(const void *from)
{
        const unsigned char *p = from;
        return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t get_le32(const void *from)
{
        return get_le16(from) | (uint32_t)get_le16((const char *)from + 2) << 16;
}
