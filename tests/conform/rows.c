/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <err.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void row_option(char *out, size_t room, const char *address, const char *option)
{
        if ((size_t)snprintf(out, room, "%s%c%s", address, strchr(address, '?') ? '&' : '?', option) >= room)
                errx(1, "no room for %s with %s", address, option);
}

static void add_row(struct row **at, const char *lie, const struct ipw_mechanism *m, const char *suffix, const char *framing,
                    const char *option)
{
        struct row *row = calloc(1, sizeof(*row));
        struct ipw_why why;
        struct ipw_caps caps;
        char probe[sizeof(row->sample)];

        if (!row)
                err(1, "calloc");
        (void)snprintf(row->name, sizeof(row->name), "%s%s%s", m->scheme, *suffix ? "/" : "", suffix);
        (void)snprintf(row->framing, sizeof(row->framing), "%s", framing);
        if (*option)
                row_option(row->sample, sizeof(row->sample), m->sample, option);
        else
                (void)snprintf(row->sample, sizeof(row->sample), "%s", m->sample);
        if (lie && strncmp(m->scheme, "fake", 4) == 0) {
                char lying[40];

                (void)snprintf(lying, sizeof(lying), "lie=%s", lie);
                memcpy(probe, row->sample, sizeof(probe));
                row_option(row->sample, sizeof(row->sample), probe, lying);
        }
        row->mechanism = m;
        row->forbidden_last = -1;
        row->forbidden = strcmp(framing, "line") == 0 ? '\n' : strcmp(framing, "nul") == 0 ? 0 : -1;
        /* A switch that cannot be turned alone makes no row. */
        (void)snprintf(probe, sizeof(probe), "%s", row->sample);
        for (char *c; (c = strstr(probe, "{key}"));)
                memcpy(c, "0x101", 5);
        for (char *c; (c = strstr(probe, "{port}"));)
                memcpy(c, "020000", 6);
        for (char *c; (c = strstr(probe, "{pid}"));)
                memcpy(c, "00001", 5);
        if (ipw_describe(probe, &caps, &why) < 0 && strchr(suffix, '=')) {
                free(row);
                return;
        }
        row->partial = !(caps.flags & IPW_CAP_BYTES) && caps.max_msg > caps.atomic_max;
        while (*at)
                at = &(*at)->next;
        *at = row;
}

static const char *usual_framing(const struct ipw_mechanism *m)
{
        for (size_t i = 0; i < m->option_count; i++)
                if (strcmp(m->options[i].name, "framing") == 0)
                        return m->options[i].standard;
        return "";
}

static void add_rows(struct row **at, const char *lie, const struct ipw_mechanism *m, bool switches)
{
        bool framed = false;

        for (size_t i = 0; i < m->option_count; i++) {
                const struct ipw_option *o = &m->options[i];
                char words[128], *save = NULL;

                if (strcmp(o->name, "framing") != 0)
                        continue;
                framed = true;
                (void)snprintf(words, sizeof(words), "%s", o->values);
                for (char *word = strtok_r(words, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
                        char option[140];

                        if (strcmp(word, "auto") == 0)
                                continue; /* a choice between the others: the case `guess` */
                        (void)snprintf(option, sizeof(option), "framing=%s", word);
                        add_row(at, lie, m, word, word, option);
                }
        }
        if (!framed)
                add_row(at, lie, m, "", "", "");
        for (size_t i = 0; i < m->option_count && switches; i++) {
                const struct ipw_option *o = &m->options[i];
                char option[140];

                if (strcmp(o->values, "0|1") != 0 || strcmp(o->name, "keep") == 0)
                        continue;
                (void)snprintf(option, sizeof(option), "%s=%d", o->name, *o->standard == '1' ? 0 : 1);
                add_row(at, lie, m, option, usual_framing(m), option);
        }
}

struct row *rows_make(const char *lie, bool published)
{
        struct row *rows = NULL;

        for (const struct ipw_mechanism *m = NULL; (m = ipw_mechanism_next(m));)
                if (m->roles && m->sample && *m->sample && (published || m->roles & (1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR)))
                        add_rows(&rows, lie, m, true);
        return rows;
}

/* Where all get all, if that is another place than the mechanism's sample, and what a payload must not hold there. */
static const struct {
        const char *scheme, *rest;
        int forbidden, forbidden_last;
} places[] = {
        { "file", NULL, '\n', 0x18 },
        { "udp", "239.255.105.112:{port}", -1, -1 },
};

static void publish(struct row *row)
{
        const char *scheme = row->mechanism->scheme;
        char sample[sizeof(row->sample)], suffix[sizeof(row->name)];

        row->published = true;
        (void)snprintf(suffix, sizeof(suffix), "%s", row->name + strlen(scheme));
        (void)snprintf(row->name, sizeof(row->name), "%s/pub%.40s", scheme, suffix);
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                if (strcmp(places[i].scheme, scheme) != 0)
                        continue;
                row->forbidden = places[i].forbidden;
                row->forbidden_last = places[i].forbidden_last;
                if (!places[i].rest)
                        continue;
                (void)snprintf(sample, sizeof(sample), "%s", strchr(row->sample, '?') ? strchr(row->sample, '?') : "");
                (void)snprintf(row->sample, sizeof(row->sample), "%s:%.60s%.150s", scheme, places[i].rest, sample);
        }
}

struct row *rows_make_published(const char *lie)
{
        struct row *rows = NULL;

        for (const struct ipw_mechanism *m = NULL; (m = ipw_mechanism_next(m));)
                if (m->roles & 1u << IPW_PUB && m->roles & 1u << IPW_SUB && m->sample && *m->sample)
                        add_rows(&rows, lie, m, !(m->roles & 1u << IPW_PUSH)); /* else they are tried with PUSH and PULL */
        for (struct row *row = rows; row; row = row->next)
                publish(row);
        return rows;
}

void rows_free(struct row *rows)
{
        while (rows) {
                struct row *next = rows->next;

                free(rows);
                rows = next;
        }
}

static bool is_free(int type, unsigned port)
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        bool bound;

        if (fd < 0)
                err(1, "a free port");
        bound = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
        (void)close(fd);
        return bound;
}

/*
 * Suites that run side by side take no port that another chose and has not opened yet: a name that sockets have, in the same network, says so as long as
 * this process or a case that it started has it.
 */
static bool reserve(unsigned port)
{
        static int held[64];
        static unsigned next;
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                err(1, "a free port");
        size += (socklen_t)snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "ipcway-test-port-%u", port);
        if (bind(fd, (struct sockaddr *)&sa, size) < 0) {
                (void)close(fd);
                return false;
        }
        if (held[next])
                (void)close(held[next]);
        held[next] = fd;
        next = (next + 1) % 64;
        return true;
}

/* Nobody has it now, and the kernel gives it to nobody who does not ask for it. */
static unsigned free_port(void)
{
        uint16_t any;
        unsigned port;

        do {
                if (getrandom(&any, sizeof(any), 0) != sizeof(any))
                        err(1, "getrandom");
                port = 20000 + any % 12000;
        } while (!reserve(port) || !is_free(SOCK_STREAM, port) || !is_free(SOCK_DGRAM, port));
        return port;
}

void row_address(const struct row *row, const char *dir, char *out, size_t room)
{
        const char *from = row->sample;
        char *to = out, *end = out + room - 80;
        uint32_t key;

        if (getrandom(&key, sizeof(key), 0) != sizeof(key))
                err(1, "getrandom");
        while (*from && to < end) {
                if (strncmp(from, "{dir}", 5) == 0) {
                        to += sprintf(to, "%.60s", dir);
                        from += 5;
                } else if (strncmp(from, "{key}", 5) == 0) {
                        to += sprintf(to, "0x%08x", key | 0x10000000);
                        from += 5;
                } else if (strncmp(from, "{port}", 6) == 0) {
                        to += sprintf(to, "%u", free_port());
                        from += 6;
                } else {
                        *to++ = *from++;
                }
        }
        *to = 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
        return remove(path);
}

void empty_folder(const char *path)
{
        (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
