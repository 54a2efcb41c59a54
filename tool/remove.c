/* SPDX-License-Identifier: MIT */
/* ipcway remove: the name goes, and for kernel objects without one the object. */
#include <errno.h>

#include "command.h"
#include "say.h"
#include "target.h"
#include "trace.h"

static struct {
        int force, trace;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 'f', "force", NULL, &set.force, "it is no failure if there is nothing to remove" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for" },
        { 0 },
};

static int run(const struct arguments *a)
{
        int status = DONE;

        if (a->count < 1 || a->dashes) {
                say_error("remove: needs at least one address; see: ipcway help remove");
                return WRONG_USAGE;
        }
        if (set.trace)
                trace_start();
        for (int i = 0; i < a->count; i++) {
                struct ipw_why why = { 0 };
                struct target target;
                int r = target_read(&target, a->word[i], NULL, NULL);

                if (r != DONE)
                        return r;
                r = ipw_remove(target.text, &why);
                if (r < 0 && !(r == -ENOENT && set.force)) {
                        say_error("%s", why.text);
                        status = FAILED;
                }
        }
        return status;
}

const struct command command_remove = {
        .name = "remove",
        .group = "Fix",
        .arguments = "ADDR...",
        .summary = "remove a name, or a kernel object, and the unread messages in it",
        .text = "Refuses while somebody provably uses it. All addresses are tried; the status is 1 if one could not be removed.\n"
                "\n"
                "  ipcway remove fifo:/tmp/orders 'mq+sysv:0x1234'\n",
        .settings = settings,
        .run = run,
};
