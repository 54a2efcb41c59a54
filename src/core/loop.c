/* SPDX-License-Identifier: MIT */
/* For programs that have a loop of their own, or another thread that wants to stop a wait. */
#include <errno.h>

#include "handle.h"
#include "sys.h"

int ipw_pollfd(struct ipw_link *l, unsigned direction, struct pollfd *out)
{
        const struct link_ops *ops = l->link->ops;
        struct pollfd answer = { 0 };
        int r;

        if (direction != IPW_RECV && direction != IPW_SEND)
                return -EINVAL;
        r = handle_check(l, direction);
        if (r == 0)
                r = ops->pollfd  ? ops->pollfd(l->link, direction, &answer)
                    : ops->watch ? ops->watch(l->link, direction, &answer)
                                 : -EOPNOTSUPP;
        if (r < 0)
                return (int)handle_trouble(l, direction, r, 0);
        *out = answer;
        return 0;
}

int ipw_turn(struct ipw_link *l)
{
        const struct link_ops *ops = l->link->ops;
        unsigned direction = l->ways & IPW_RECV ? IPW_RECV : IPW_SEND;
        int r;

        r = handle_check(l, direction);
        if (r == 0 && ops->turn)
                r = ops->turn(l->link);
        if (r == 0 && ops->flush && l->ways & IPW_SEND) {
                direction = IPW_SEND;
                r = ops->flush(l->link);
        }
        return r < 0 && r != -EAGAIN ? (int)handle_trouble(l, direction, r, 0) : 0;
}

int ipw_interrupt(struct ipw_link *l)
{
        static const uint64_t one = 1;
        int before = errno; /* a signal handler may call this */
        ssize_t r = 0;

        if (!*l->alive)
                return -ESTALE;
        if (!(l->how & IPW_WAKEABLE))
                return -EOPNOTSUPP;
        for (unsigned i = 0; i < COUNT_OF(l->wake) && r >= 0; i++) {
                if (!(l->ways & (i + 1)))
                        continue;
                if (l->link->ops->interrupt)
                        l->link->ops->interrupt(l->link, i + 1);
                else
                        r = sys_write("stop the wait of that direction", l->wake[i], &one, sizeof(one));
        }
        errno = before;
        return r < 0 && r != -EAGAIN ? (int)r : 0;
}
