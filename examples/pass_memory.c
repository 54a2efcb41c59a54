/* SPDX-License-Identifier: MIT */
/*
 * Memory without a name goes to another process, which cannot be harmed by it: a memfd, sealed.
 *
 * The naive version maps what has come: the sender cuts it short, and the receiver dies of SIGBUS; or it writes while the receiver looks, and what was checked is
 * not what is used. Seals settle it, if the receiver looks at them: nobody can shrink that memory or write to it any more.
 */
#include <err.h>
#include <fcntl.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

static ssize_t give(struct ipw_link *link, const char *text)
{
        int fd = memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
                err(1, "memfd");
        return ipw_send(link, &(struct ipw_message){ .data = (char[]){ "text" }, .size = 4, .fds = &fd, .fd_count = 1 }, IPW_MS(5000));
}

static ssize_t take(struct ipw_link *link)
{
        char word[4096], *text;
        int fd = -1, seals;
        struct ipw_message m = { .data = word, .capacity = sizeof(word), .fds = &fd, .fd_room = 1 };
        ssize_t n = ipw_recv(link, &m, IPW_FOREVER);
        off_t size = lseek(fd, 0, SEEK_END);

        if (n < 0)
                return n;
        seals = fcntl(fd, F_GET_SEALS); /* -1 of what is no memfd */
        if (seals < 0 || (seals & SEALS) != SEALS || size <= 0)
                errx(1, "what came is no sealed memory");
        text = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text == MAP_FAILED)
                err(1, "mmap");
        return printf("%lld bytes: %.*s\n", (long long)size, (int)size, text);
}

int main(int argc, char **argv)
{
        int gives = argc > 2 && strcmp(argv[1], "give") == 0;
        struct ipw_link *link;
        struct ipw_why why;

        if (argc < 2 + gives || (!gives && strcmp(argv[1], "take") != 0))
                errx(2, "usage: pass_memory give TEXT [ADDRESS], pass_memory take [ADDRESS]");
        if (ipw_open(&link, argc > 2 + gives ? argv[2 + gives] : "unix:/tmp/memory", gives ? IPW_PUSH : IPW_PULL, IPW_MS(5000), &why) < 0)
                errx(1, "%s", why.text);
        if ((gives ? give(link, argv[2]) : take(link)) < 0)
                return ipw_link_why(link, &why), warnx("%s", why.text), 1;
        return ipw_close(link) == 0 && fflush(stdout) == 0 ? 0 : 1;
}
