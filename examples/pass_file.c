/* SPDX-License-Identifier: MIT */
/*
 * A program that may open a file hands it, open, to one that may not.
 *
 * The naive version sends the number of the descriptor, which means another file there, or none. Or it uses SCM_RIGHTS, and the control buffer is too small or not
 * aligned: the kernel closes what does not fit and says so in a flag that nobody looks at. Or the descriptor is inherited by every program that the receiver starts; or a
 * stranger sends descriptors unasked until the table is full.
 */
#include <err.h>
#include <fcntl.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ssize_t give(struct ipw_link *link, char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                err(1, "%s", path);
        n = ipw_send(link, &(struct ipw_message){ .data = path, .size = strlen(path), .fds = &fd, .fd_count = 1 }, IPW_MS(5000));
        return close(fd), n; /* the receiver has its own */
}

static ssize_t take(struct ipw_link *link)
{
        char name[4096], data[4096];
        int fd = -1;
        struct ipw_message m = { .data = name, .capacity = sizeof(name), .fds = &fd, .fd_room = 1 };
        ssize_t n = ipw_recv(link, &m, IPW_FOREVER), got = 0;

        if (n < 0)
                return n;
        printf("%.*s%s\n", (int)n, name, m.fd_count ? ":" : " came without a descriptor");
        while (m.fd_count && (got = read(fd, data, sizeof(data))) > 0)
                fwrite(data, 1, (size_t)got, stdout);
        return got < 0 || fflush(stdout) != 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
        int gives = argc > 1 && strcmp(argv[1], "give") == 0;
        struct ipw_link *link;
        struct ipw_why why;

        if (argc < 2 + gives || (!gives && strcmp(argv[1], "take") != 0))
                errx(2, "usage: pass_file give FILE [ADDRESS], pass_file take [ADDRESS]");
        if (ipw_open(&link, argc > 2 + gives ? argv[2 + gives] : "unix+seqpacket:/tmp/pass_file", gives ? IPW_PUSH : IPW_PULL, IPW_MS(5000),
                     &why) < 0)
                errx(1, "%s", why.text);
        if ((gives ? give(link, argv[2]) : take(link)) < 0) {
                ipw_link_why(link, &why);
                errx(1, "%s", why.error ? why.text : "cannot print the file");
        }
        return ipw_close(link) == 0 ? 0 : 1;
}
