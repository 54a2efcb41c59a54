/* SPDX-License-Identifier: MIT */
/*
 * A server that ends cleanly on SIGINT and SIGTERM: finishes what has come, removes its FIFO, says who told it.   ./clean_shutdown [PATH]
 *
 * The naive version dies where it stands: the job is half done, the FIFO stays. One with a handler that sets a flag looks at it before read(2), and the signal
 * that comes between the two is noticed when the next job comes, perhaps never; one that cleans up in the handler calls free in the middle of free.
 * Here the signal is a message like the others, and a job is never interrupted. A second one ends the program at once.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <signal.h>
#include <stdio.h>

static struct ipw_link *open_or_exit(const char *address)
{
        struct ipw_link *link;
        struct ipw_why why;

        if (ipw_open(&link, address, IPW_PULL, 0, &why) < 0)
                errx(1, "%s", why.text);
        return link;
}

int main(int argc, char **argv)
{
        char address[4200], job[4096], name[16] = "";
        struct ipw_signal s;
        struct ipw_message m = { .data = job, .capacity = sizeof(job) }, told = { .data = &s, .capacity = sizeof(s) };
        struct ipw_link *jobs, *signals;
        struct pollfd fds[2];
        ssize_t n = 0, stopping = 0;
        sigset_t set; /* blocked first of all, before any thread starts */

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail */
        snprintf(address, sizeof(address), "fifo:%s?framing=line&keep=0", argc > 1 ? argv[1] : "/tmp/my_jobs");
        signals = open_or_exit("signal:INT,TERM");
        jobs = open_or_exit(address);
        if (ipw_pollfd(signals, IPW_RECV, &fds[0]) < 0 || ipw_pollfd(jobs, IPW_RECV, &fds[1]) < 0)
                errx(1, "no descriptor to wait for");
        puts("ready");
        while (fflush(stdout) == 0 && !(stopping && n == -EAGAIN) && (stopping || poll(fds, 2, -1) >= 0)) {
                if (ipw_recv(signals, &told, 0) > 0 && stopping++)
                        break; /* told twice: now */
                n = ipw_recv(jobs, &m, 0);
                if (n >= 0)
                        printf("done: %.*s\n", (int)n, job);
                else if (n != -EAGAIN)
                        break;
        }
        ipw_close(jobs); /* with keep=0 this removes the FIFO */
        ipw_close(signals);
        if (stopping && ipw_signal_name(s.number, name, sizeof(name)) > 0)
                printf("stopped by %s from process %d\n", name, (int)s.pid);
        return fflush(stdout) == 0 && stopping ? 0 : 1;
}
