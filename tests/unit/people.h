/* SPDX-License-Identifier: MIT */
/* Processes that are blocked on purpose, and pictures of them. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "ipcway/probe.h"
#include "janitor.h"
#include "unit.h"

enum { PEOPLE = 4 };
static pid_t people[PEOPLE];

/* Has nothing open but these two and what every process has. */
static inline void close_but(int a, int b)
{
        for (int fd = 3; fd < 200; fd++)
                if (fd != a && fd != b)
                        (void)close(fd);
}

static inline void end_people(void)
{
        for (unsigned i = 0; i < PEOPLE; i++)
                if (people[i] > 0) {
                        (void)kill(people[i], SIGKILL);
                        (void)reap(people[i]);
                        people[i] = 0;
                }
}

static inline struct ipw_probe *take(void)
{
        struct ipw_probe *p = NULL;
        struct ipw_why why = { 0 };

        if (ipw_probe_take(&p, IPW_PROBE_OBJECTS, &why) < 0)
                fail_msg("%s", why.text);
        return p;
}

static inline const struct ipw_probe_wait *find(const struct ipw_probe *p, pid_t pid, const char *call)
{
        const struct ipw_probe_wait *w;
        size_t n;

        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n; i++)
                if (w[i].pid == pid && strcmp(w[i].call, call) == 0)
                        return &w[i];
        return NULL;
}

/* A picture in which this process has come to that call. */
static inline struct ipw_probe *until(pid_t pid, const char *call)
{
        struct ipw_probe *p;
        int looks = 0;

        await_sleep(pid); /* a look at one process costs less than one at all */
        p = take();
        while (!find(p, pid, call)) {
                ipw_probe_free(p);
                look_again(&looks, call);
                await_sleep(pid);
                p = take();
        }
        return p;
}

static inline void fill(int fd)
{
        static const char some[4096];

        while (write(fd, some, sizeof(some)) > 0)
                ;
}

static inline void expect_circle(const struct ipw_probe *p, unsigned n, int sure)
{
        const struct ipw_probe_wait *w;
        uint32_t circle = 0;
        size_t count;

        w = ipw_probe_waits(p, &count);
        for (unsigned i = 0; i < n; i++) {
                size_t at = 0;

                while (at < count && (w[at].pid != people[i] || w[at].end != IPW_WAIT_CIRCLE))
                        at++;
                if (at == count) {
                        for (size_t k = 0; k < count; k++)
                                print_error("%d: %s\n", (int)w[k].pid, w[k].text);
                        fail_msg("%d is in no circle", (int)people[i]);
                }
                if (i == 0)
                        circle = w[at].circle;
                assert_int_equal(w[at].circle, circle);
                assert_int_equal(w[at].sure, sure);
        }
        for (size_t i = 0; i < count; i++) {
                bool ours = false;

                for (unsigned k = 0; k < n; k++)
                        ours |= people[k] == w[i].pid;
                if (!ours && w[i].circle == circle)
                        fail_msg("%d (%s) is not in this circle: %s", (int)w[i].pid, w[i].name, w[i].text);
        }
}
