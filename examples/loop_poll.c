/* SPDX-License-Identifier: MIT */
/*
 * Links in a poll(2) loop: passes messages on from any address to any other, until the first has ended.   ./loop_poll IN OUT
 *
 * The naive version always polls for room to write, and burns a core; or it waits in the write, and nothing else in the loop moves; it takes ready for a
 * promise, and sleeps in a read that finds nothing. Here each thing is tried first, and only what said -EAGAIN is waited for.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>

static char text[65536];
static struct ipw_message m = { .data = text, .capacity = sizeof(text) };
static struct ipw_link *in, *out;
static enum { TAKE, GIVE, REST } next; /* take a message; give the one in hand on; the kernel took it in part: bring the rest on its way */

static int step(void) /* one message, as far as it goes without waiting. 0, or how it ended */
{
        ssize_t n;

        do {
                n = next == TAKE ? ipw_recv(in, &m, 0) : next == GIVE ? ipw_send(out, &m, 0) : ipw_flush(out, 0);
                if (n >= 0)
                        next = next == TAKE ? GIVE : TAKE;
                else if (n == -EINPROGRESS)
                        next = REST;
        } while (next != TAKE && (n >= 0 || n == -EINPROGRESS));
        return n < 0 && n != -EAGAIN ? (int)n : 0;
}

static struct ipw_link *open_or_exit(const char *address, unsigned role, struct pollfd *p)
{
        struct ipw_why why = { .text = "no descriptor to wait for" };
        struct ipw_link *link;

        if (ipw_open(&link, address, role, IPW_MS(10000), &why) < 0 || ipw_pollfd(link, role == IPW_PUSH ? IPW_SEND : IPW_RECV, p) < 0)
                errx(1, "%s: %s", address, why.text);
        return link;
}

int main(int argc, char **argv)
{
        struct pollfd source, sink;
        struct ipw_why why;
        int r = 0;

        in = open_or_exit(argc > 1 ? argv[1] : "", IPW_PULL, &source);
        out = open_or_exit(argc > 2 ? argv[2] : "", IPW_PUSH, &sink);
        while (r == 0) {
                struct pollfd fds[] = { next == TAKE ? source : sink }; /* and what else the program waits for */

                r = poll(fds, 1, -1) < 0 ? -errno : step();
        }
        ipw_link_why(next == TAKE ? in : out, &why);
        (void)(ipw_close(in) + ipw_close(out));
        if (r < 0 && (r != -EPIPE || next != TAKE))
                errx(1, "%s", why.text);
        return 0;
}
