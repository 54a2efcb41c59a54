/* SPDX-License-Identifier: MIT */
/* What can be said of a listener whatever it is. */
#include "listener.h"

#include <errno.h>

#include "why.h"

int listener_why(const struct listener *l, unsigned peers, int error, struct ipw_why *why)
{
        if (error == EBUSY) {
                (void)why_set(why, error, "%s: this link has peers of its own already; open another to hand out conversations", l->name);
                return 0;
        }
        if ((error != EAGAIN && error != ETIMEDOUT) || (peers && !l->refused && !l->unknown))
                return -ENOENT;
        if (l->refused) {
                (void)why_set(why, error, "%s: nothing yet; %llu diallers were refused, the last of user %u: peer=uid:%u admits it",
                              l->name, (unsigned long long)l->refused, l->refused_uid, l->refused_uid);
                return 0;
        }
        if (l->unknown) {
                (void)why_set(
                        why, error,
                        "%s: nothing yet; %llu diallers were refused: they had closed before they were taken in, and then nobody can say whose they were. "
                        "Let them wait for their greeting (framing=sp), or use unix:; insecure=1 admits anybody",
                        l->name, (unsigned long long)l->unknown);
                return 0;
        }
        (void)why_set(why, error, "%s: nobody has dialled", l->name);
        return 0;
}
