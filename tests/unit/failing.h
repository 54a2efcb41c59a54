/* SPDX-License-Identifier: MIT */
/* Calls that fail, by the seam: each call of an open in turn, or a kernel that does not list its sockets. */
#pragma once

#include "seam.h"
#include "talk.h"

static int failing_left;

/* What gives back must be done all the same, or the test would leak by itself. */
static inline int failing_nth(struct sys_call *call)
{
        if (failing_left-- != 0 || strcmp(call->site->call, "close") == 0 || strcmp(call->site->call, "unlinkat") == 0 ||
            strcmp(call->site->call, "shmdt") == 0)
                return 0;
        call->result = -ENOMEM;
        return 1;
}

static inline int failing_netlink(struct sys_call *call)
{
        if (strcmp(call->site->call, "socket") != 0 || !strstr(call->site->meaning, "kernel for its sockets"))
                return 0;
        call->result = -EPROTONOSUPPORT;
        return 1;
}

static inline void failing_after(struct sys_call *call)
{
}

static const struct sys_hook failing_no_list __attribute__((unused)) = { failing_netlink, failing_after };

/* Whichever call of opening fails: there is a text, and neither a descriptor stays nor, unless it is NULL, the name. */
static inline void failing_opens(const char *at, unsigned how, const char *name)
{
        static const struct sys_hook hook = { failing_nth, failing_after };
        int before = open_descriptors(), failed = 0;

        for (int call = 0;; call++) {
                struct ipw_link *l = NULL;
                struct ipw_why why = { 0 };
                int r;

                failing_left = call;
                sys_hook = &hook;
                r = ipw_open(&l, at, how, 0, &why);
                sys_hook = NULL;
                assert_true(r < 0 ? why.text[0] && !l : l != NULL);
                failed += r < 0;
                (void)ipw_close(l);
                assert_int_equal(open_descriptors(), before);
                if (name)
                        assert_int_equal(access(name, F_OK), -1);
                if (failing_left >= 0)
                        break;
        }
        assert_true(failed > 3);
}
