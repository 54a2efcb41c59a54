/* SPDX-License-Identifier: MIT */
/*
 * What the rows of the tour have in common: fresh names that go again, ways between two processes, and a report when something fails. All of it by
 * the public calls alone.
 */
#include "tour_way.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "command.h"
#include "say.h"
#include "target.h"

static const size_t worth_measuring = 16 << 20;

/* ---- names ---------------------------------------------------------------------------------------------------------------------- */

void tour_drop(const struct way *w, unsigned side)
{
        if (w->mechanism && w->mechanism->anonymous && w->end[side][0])
                ipw_end_drop(w->end[side]);
}

/* Nobody has it now, and the kernel gives it to nobody who does not ask for it. 0: none was found. */
static unsigned free_port(void)
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        unsigned port = 0;
        uint16_t random;

        for (int i = 0; fd >= 0 && i < 1000 && port == 0; i++) {
                if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                        break;
                sa.sin_port = htons((uint16_t)(20000 + random % 12000));
                if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
                        port = ntohs(sa.sin_port);
        }
        if (fd >= 0)
                (void)close(fd);
        return port;
}

int tour_expand(struct tour *t, const char *sample, char out[256])
{
        size_t n = 0;

        while (*sample && n < 200) {
                if (strncmp(sample, "{dir}", 5) == 0) {
                        int length = snprintf(out + n, 256 - n, "%s/%u", t->dir, t->dirs++);

                        if (mkdir(out + n, 0700) < 0)
                                return -errno;
                        n += (size_t)length;
                        sample += 5;
                } else if (strncmp(sample, "{key}", 5) == 0) {
                        uint32_t key;

                        if (getrandom(&key, sizeof(key), 0) != sizeof(key))
                                return -EIO;
                        n += (size_t)snprintf(out + n, 256 - n, "0x%08x", key | 0x10000000);
                        sample += 5;
                } else if (strncmp(sample, "{port}", 6) == 0) {
                        unsigned port = free_port();

                        if (!port)
                                return -EADDRINUSE;
                        n += (size_t)snprintf(out + n, 256 - n, "%u", port);
                        sample += 6;
                } else {
                        out[n++] = *sample++;
                }
        }
        out[n] = 0;
        return *sample ? -ENAMETOOLONG : 0;
}

int tour_way(struct tour *t, const struct ipw_mechanism *m, struct way *w, int until_last, struct ipw_why *why)
{
        char address[256];
        int r = tour_expand(t, m->sample, address);

        *w = (struct way){ .mechanism = m };
        if (r < 0) {
                why->error = -r;
                (void)snprintf(why->text, sizeof(why->text), "%s: cannot make a name to try it with: %s", m->sample, strerror(-r));
                return r;
        }
        if (!m->anonymous) {
                memcpy(w->end[SENDER], address, sizeof(address));
                memcpy(w->end[RECEIVER], address, sizeof(address));
                if (until_last) /* only the receiver's business; where the kernel knows no last sender, none is waited for */
                        (void)target_extend(w->end[RECEIVER], sizeof(w->end[RECEIVER]), "until", "last");
                if (t->names < TOUR_NAMES)
                        memcpy(t->name[t->names++], address, sizeof(address));
                return 0;
        }
        return ipw_ends(w->end[SENDER], w->end[RECEIVER], address, IPW_PUSH, why);
}

static void remove_names(struct tour *t)
{
        while (t->names)
                (void)ipw_remove(t->name[--t->names], NULL); /* what is gone already is gone */
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
        (void)st;
        (void)kind;
        (void)where;
        (void)remove(path);
        return 0;
}

/* ---- in the two processes --------------------------------------------------------------------------------------------------------- */

struct ipw_link *tour_open_end(struct duo_report *report, const struct way *w, unsigned side)
{
        unsigned how = target_role(w->mechanism, side == SENDER ? IPW_SEND : IPW_RECV);
        struct ipw_link *link;
        struct ipw_why why = { 0 };

        if (ipw_open(&link, w->end[side], how, tour_step, &why) < 0)
                duo_fail(report, why.error, "%s", why.text);
        return link;
}

void tour_wait_for_receiver(const struct job *j)
{
        char byte;

        (void)close(j->ready[1]);
        while (read(j->ready[0], &byte, 1) < 0 && errno == EINTR)
                ;
}

_Noreturn void tour_fail_link(struct duo_report *report, const struct ipw_link *link)
{
        struct ipw_why why;

        ipw_link_why(link, &why);
        duo_fail(report, 0, "%s", why.text);
}

/* ---- in the parent ------------------------------------------------------------------------------------------------------------------ */

enum duo_end tour_trouble(char out[256], const struct ipw_why *why)
{
        (void)snprintf(out, 256, "%.255s", why->text);
        return why->error == ENOSYS || why->error == EPERM ? DUO_LACKING : DUO_FAILED;
}

struct job tour_begin(struct tour *t)
{
        *t->shared = (struct tour_shared){ 0 };
        return (struct job){ .tour = t, .shared = t->shared, .go = { -1, -1 }, .ready = { -1, -1 } };
}

void tour_end_of(struct tour *t, const struct duo *d)
{
        remove_names(t);
        if (d->interrupted)
                t->interrupted = d->interrupted;
}

void tour_close_both(const int fds[2])
{
        for (int i = 0; i < 2; i++)
                if (fds[i] >= 0)
                        (void)close(fds[i]);
}

int tour_open(struct tour *t, const char *file)
{
        const char *base = getenv("TMPDIR");
        struct stat st;
        int fd;

        *t = (struct tour){ .shared = MAP_FAILED, .data = MAP_FAILED };
        fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) {
                say_error("tour: %s: %s", file, strerror(errno));
                return FAILED;
        }
        if (!S_ISREG(st.st_mode) || st.st_size == 0) {
                say_error("tour: %s: %s; give a regular file with something in it", file,
                          S_ISREG(st.st_mode) ? "is empty" : "is no regular file");
                (void)close(fd);
                return FAILED;
        }
        t->size = (size_t)st.st_size;
        t->passes = (unsigned)(worth_measuring / t->size);
        t->passes = t->passes < 1 ? 1 : t->passes > 256 ? 256 : t->passes;
        t->data = mmap(NULL, t->size, PROT_READ, MAP_PRIVATE, fd, 0);
        (void)close(fd);
        t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (t->data == MAP_FAILED || t->shared == MAP_FAILED) {
                say_error("tour: %s: cannot map it: %s", file, strerror(errno));
                return FAILED;
        }
        if (!base || *base != '/' || strlen(base) > 32) /* a socket's path holds 107 bytes in all */
                base = "/tmp";
        (void)snprintf(t->dir, sizeof(t->dir), "%s/ipcway-tour-XXXXXX", base);
        if (!mkdtemp(t->dir)) {
                say_error("tour: cannot make a folder in %s: %s", base, strerror(errno));
                return FAILED;
        }
        return DONE;
}

void tour_close(struct tour *t)
{
        remove_names(t);
        if (nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0)
                say_error("tour: cannot remove %s: %s", t->dir, strerror(errno));
        (void)munmap((void *)(uintptr_t)t->data, t->size);
        (void)munmap(t->shared, sizeof(*t->shared));
}
