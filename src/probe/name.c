/* SPDX-License-Identifier: MIT */
/* What things are called: addresses of sockets, and names that others chose as they may stand in an address or on a screen. */
#include <arpa/inet.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"
#include "sys.h"

void inet_text(const struct inet_end *end, char out[INET_TEXT])
{
        static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
        char address[INET6_ADDRSTRLEN] = "?";

        if (memcmp(end->address, mapped, sizeof(mapped)) == 0) {
                (void)inet_ntop(AF_INET, end->address + sizeof(mapped), address, sizeof(address));
                (void)snprintf(out, INET_TEXT, "%s:%u", address, end->port);
        } else {
                (void)inet_ntop(AF_INET6, end->address, address, sizeof(address));
                (void)snprintf(out, INET_TEXT, "[%s]:%u", address, end->port);
        }
}

/* sem_open(3) makes them so. */
bool is_semaphore_file(const char *name, uint64_t size)
{
        return strncmp(name, "sem.", SEMAPHORE_PREFIX) == 0 && name[SEMAPHORE_PREFIX] && size == sizeof(sem_t);
}

/* How many bytes of UTF-8 begin here that show as one character; 0: none do. */
static size_t character(const unsigned char *c)
{
        uint32_t code;
        size_t size;

        if (*c < 0x80)
                return *c >= ' ' && *c != 127;
        size = *c >= 0xf0 && *c < 0xf5 ? 4 : *c >= 0xe0 && *c < 0xf0 ? 3 : *c >= 0xc2 && *c < 0xe0 ? 2 : 0;
        if (size == 0)
                return 0;
        code = *c & (0xffU >> (size + 1));
        for (size_t i = 1; i < size; i++) {
                if ((c[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (c[i] & 0x3f);
        }
        /* too long a form, surrogates, controls, and what turns the direction of a line */
        if (code < (size == 3   ? 0x800
                    : size == 4 ? 0x10000
                                : 0xa0) ||
            (code >= 0xd800 && code < 0xe000) || code > 0x10ffff || (code >= 0x2028 && code <= 0x202e) ||
            (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f || code == 0xfeff)
                return 0;
        return size;
}

void address_name(const char *name, char *out, size_t room)
{
        const unsigned char *from = (const void *)name;
        size_t used = 0;

        while (*from && used + 5 < room) {
                size_t size = strchr("%?# ", *from) ? 0 : character(from);

                if (size == 0) {
                        used += (size_t)snprintf(out + used, room - used, "%%%02X", *from++);
                        continue;
                }
                memcpy(out + used, from, size);
                used += size;
                from += size;
        }
        out[used] = 0;
}

/* ---- texts that stay where they are ------------------------------------------------------------------------------------------------------ */

enum { CHUNK = 1 << 16 };
struct chunk {
        struct chunk *next;
        size_t used, room;
        char text[];
};

const char *keep(struct ipw_probe *p, const char *text)
{
        size_t size = strlen(text) + 1;
        struct chunk *c = p->chunks;
        char *to;

        if (size == 1)
                return "";
        if (!c || c->room - c->used < size) {
                size_t room = size > CHUNK ? size : CHUNK;

                c = sys_alloc("room for texts", sizeof(*c) + room);
                if (!c) {
                        p->failed = -ENOMEM;
                        return NULL;
                }
                *c = (struct chunk){ .next = p->chunks, .room = room };
                p->chunks = c;
        }
        to = c->text + c->used;
        memcpy(to, text, size);
        c->used += size;
        return to;
}

const char *keep_format(struct ipw_probe *p, const char *format, ...)
{
        char text[4400];
        va_list list;

        va_start(list, format);
        (void)vsnprintf(text, sizeof(text), format, list);
        va_end(list);
        return keep(p, text);
}

void free_texts(struct ipw_probe *p)
{
        while (p->chunks) {
                struct chunk *next = p->chunks->next;

                free(p->chunks);
                p->chunks = next;
        }
}
