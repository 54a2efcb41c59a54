/* SPDX-License-Identifier: MIT */
/* Short words for tests that send and receive: payloads that can be checked, and failures that show the text. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipcway.h"
#include "janitor.h"
#include "unit.h"

enum { PATIENCE = 20000 /* ms: only a hang takes so long */ };

/* In a child there is no test to fail: its exit status tells. */
#define CHILD_CHECK(truth)                                                                       \
        do {                                                                                     \
                if (!(truth)) {                                                                  \
                        (void)fprintf(stderr, "%s:%d: child: %s\n", __FILE__, __LINE__, #truth); \
                        _exit(1);                                                                \
                }                                                                                \
        } while (0)

static inline struct ipw_link *talk_open(const char *address, unsigned how)
{
        struct ipw_link *link = NULL;
        struct ipw_why why = { 0 };

        if (ipw_open(&link, address, how, IPW_MS(PATIENCE), &why) < 0) {
                (void)fprintf(stderr, "%s: %s\n", address, why.text);
                abort();
        }
        return link;
}

/* Opening must fail so, with a text that holds `part`. */
static inline void talk_refuse(const char *address, unsigned how, int error, const char *part)
{
        struct ipw_link *link = NULL;
        struct ipw_why why = { 0 };
        int r = ipw_open(&link, address, how, 0, &why);

        if (r != -error || why.error != error || !strstr(why.text, part) || link)
                fail_msg("%s gave %d: %s", address, r, why.text);
}

/* The text of the last error on this link holds `part`. */
static inline void talk_says(const struct ipw_link *link, const char *part)
{
        struct ipw_why why;

        ipw_link_why(link, &why);
        if (!strstr(why.text, part))
                fail_msg("the text is: %s", why.text);
}

/* And it was this error. */
static inline void talk_explains(const struct ipw_link *link, int error, const char *part)
{
        struct ipw_why why;

        ipw_link_why(link, &why);
        if (why.error != error || !strstr(why.text, part))
                fail_msg("%d: %s", why.error, why.text);
}

static inline ssize_t talk_send(struct ipw_link *link, const void *data, size_t size, int64_t timeout)
{
        struct ipw_message m = { .data = (void *)(uintptr_t)data, .size = size };

        return ipw_send(link, &m, timeout);
}

static inline void talk_expect(struct ipw_link *link, const char *text)
{
        char buffer[8192];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };
        ssize_t n = ipw_recv(link, &m, IPW_MS(PATIENCE));

        if (n != (ssize_t)strlen(text) || memcmp(buffer, text, (size_t)n) != 0)
                fail_msg("got %zd \"%.*s\", not \"%s\"", n, (int)(n > 0 ? n : 0), buffer, text);
}

/* Receiving must fail so, without waiting. */
static inline void talk_nothing(struct ipw_link *link, int error)
{
        char buffer[8192];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

        assert_int_equal(ipw_recv(link, &m, 0), -error);
}

static inline struct ipw_stats talk_stats(const struct ipw_link *link)
{
        struct ipw_stats stats;

        if (ipw_link_stats(link, &stats) < 0)
                abort();
        return stats;
}

/* A payload that tells who sent it, which it is, how long it is, and whether it is whole. 12 bytes at least. */
enum { TALK_HEAD = 12 };
static inline uint32_t talk_hash(const unsigned char *p, size_t size, uint32_t h)
{
        for (size_t i = 0; i < size; i++)
                h = (h ^ p[i]) * 16777619;
        return h;
}
static inline void talk_fill(void *to, size_t size, uint32_t who, uint32_t number)
{
        unsigned char *p = to;
        uint32_t x = who * 2654435761u + number;

        for (size_t i = TALK_HEAD; i < size; i++)
                p[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
        put_le32(p, who);
        put_le32(p + 4, number);
        put_le32(p + 8, talk_hash(p + TALK_HEAD, size - TALK_HEAD, talk_hash(p, 8, (uint32_t)size)));
}
static inline int talk_good(const void *from, size_t size)
{
        const unsigned char *p = from;

        return size >= TALK_HEAD && get_le32(p + 8) == talk_hash(p + TALK_HEAD, size - TALK_HEAD, talk_hash(p, 8, (uint32_t)size));
}
