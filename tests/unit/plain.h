/* SPDX-License-Identifier: MIT */
/* A link on one end of a pipe, a plain descriptor on the other. */
#pragma once

#include "talk.h"

static struct ipw_link *plain_link;
static int plain_fd = -1;
static int plain_open_at_start;

static inline void plain_hang_up(void)
{
        if (plain_fd >= 0)
                (void)close(plain_fd);
        plain_fd = -1;
}

static inline void plain_close(void)
{
        (void)ipw_close(plain_link);
        plain_link = NULL;
        plain_hang_up();
}

static inline int plain_setup(void **state)
{
        plain_open_at_start = open_descriptors();
        return 0;
}

static inline int plain_teardown(void **state)
{
        plain_close();
        return open_descriptors() == plain_open_at_start ? 0 : -1;
}

static inline void plain_open(const char *options, unsigned how)
{
        char address[64];
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        (void)snprintf(address, sizeof(address), "fd:%d?%s", fds[how == IPW_PUSH], options);
        plain_fd = fds[how != IPW_PUSH];
        plain_link = talk_open(address, how);
}

static inline void plain_put(const char *bytes, size_t size)
{
        assert_int_equal(write(plain_fd, bytes, size), size);
}

static inline void plain_see(const char *bytes, size_t size)
{
        char buffer[8192];
        ssize_t n = read(plain_fd, buffer, sizeof(buffer));

        assert_int_equal(n, size);
        assert_memory_equal(buffer, bytes, size);
}
