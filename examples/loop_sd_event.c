/* SPDX-License-Identifier: MIT */
/*
 * Links in systemd's event loop: prints what comes at any number of addresses of any kind, until SIGTERM.   ./loop_sd_event ADDRESS...
 *
 * The naive version gives sd_event_add_io EPOLLIN for every descriptor, though what ipw_pollfd() says counts; it returns an error from its callback,
 * and the loop quietly never calls it again; it has SIGTERM open when it adds it to the loop, and is killed. Built where libsystemd is.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

static int take(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        char text[65536];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        ssize_t n = ipw_recv(userdata, &m, 0);
        struct ipw_why why;

        (void)fd, (void)events;
        if (n >= 0)
                printf("%.*s\n", (int)n, text);
        if (fflush(stdout) != 0)
                return sd_event_exit(sd_event_source_get_event(source), EXIT_FAILURE);
        if (n >= 0 || n == -EAGAIN) /* it was ready for nothing */
                return 0;
        ipw_link_why(userdata, &why);
        if (n != -EPIPE)
                warnx("%s", why.text);
        return sd_event_source_set_enabled(source, SD_EVENT_OFF); /* it has ended */
}

int main(int argc, char **argv)
{
        struct ipw_why why = { .text = "cannot be added to the loop" };
        struct ipw_link *link[16];
        sd_event *loop = NULL;
        struct pollfd p;
        sigset_t set;
        int r;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (sd_event_default(&loop) < 0 || sd_event_add_signal(loop, NULL, SIGTERM, NULL, NULL) < 0)
                errx(1, "no event loop");
        for (int i = 1; i < argc && i < 16; i++)
                if (ipw_open(&link[i], argv[i], IPW_PULL, IPW_MS(10000), &why) < 0 || ipw_pollfd(link[i], IPW_RECV, &p) < 0 ||
                    sd_event_add_io(loop, NULL, p.fd, (uint32_t)p.events, take, link[i]) < 0)
                        errx(1, "%s: %s", argv[i], why.text);
        puts("ready");
        r = sd_event_loop(loop);
        for (int i = 1; i < argc && i < 16; i++)
                ipw_close(link[i]);
        return r == 0 ? 0 : 1;
}
