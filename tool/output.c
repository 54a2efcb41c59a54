/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "json.h"

static int write_all(int fd, struct iovec *piece, int count)
{
        while (count) {
                ssize_t n = writev(fd, piece, count);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                while (count && (size_t)n >= piece->iov_len) {
                        n -= (ssize_t)piece->iov_len;
                        piece++;
                        count--;
                }
                if (count) {
                        piece->iov_base = (char *)piece->iov_base + n;
                        piece->iov_len -= (size_t)n;
                }
        }
        return 0;
}

static int make_hex(const struct ipw_message *m, char **out, size_t *size)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *from = m->data;
        char *text = malloc(m->size * 2 + 1);

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < m->size; i++) {
                text[2 * i] = digits[from[i] >> 4];
                text[2 * i + 1] = digits[from[i] & 15];
        }
        text[2 * m->size] = '\n';
        *out = text;
        *size = m->size * 2 + 1;
        return 0;
}

/* What a terminal would obey is shown instead; newline and tab are harmless, and bytes over 0x7f are left to its encoding. */
static int make_masked(const struct ipw_message *m, char **out, size_t *size)
{
        const unsigned char *from = m->data;
        char *text = malloc(m->size * 4 + 2);
        size_t n = 0;

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < m->size; i++)
                if ((from[i] < 0x20 && from[i] != '\n' && from[i] != '\t') || from[i] == 0x7f)
                        n += (size_t)sprintf(text + n, "\\x%02x", from[i]);
                else
                        text[n++] = (char)from[i];
        if (n == 0 || text[n - 1] != '\n')
                text[n++] = '\n';
        *out = text;
        *size = n;
        return 0;
}

static int make_json(const struct ipw_message *m, char **out, size_t *size)
{
        FILE *memory = open_memstream(out, size);
        int r;

        if (!memory)
                return -ENOMEM;
        r = json_message_print(memory, m);
        if (fclose(memory) != 0 && r == 0)
                r = -ENOMEM;
        if (r < 0)
                free(*out);
        return r;
}

/* The message between what stands before and behind it. */
struct dressed {
        unsigned char head[4], tail;
        struct iovec piece[3];
};

static void dress(struct dressed *d, enum output_format format, const struct ipw_message *m)
{
        int ends = m->size && ((char *)m->data)[m->size - 1] == '\n';

        for (unsigned i = 0; i < sizeof(d->head); i++)
                d->head[i] = (unsigned char)(m->size >> (24 - 8 * i));
        d->tail = format == OUTPUT_NUL ? 0 : '\n';
        d->piece[0] = (struct iovec){ d->head, format == OUTPUT_LEN4BE ? sizeof(d->head) : 0 };
        d->piece[1] = (struct iovec){ m->data, m->size };
        d->piece[2] = (struct iovec){ &d->tail, format == OUTPUT_LINE || format == OUTPUT_NUL || (format == OUTPUT_TEXT && !ends) };
}

/* As a text of its own. 0: this format needs none. */
static int make(enum output_format format, int masked, const struct ipw_message *m, char **text, size_t *size)
{
        int r = format == OUTPUT_HEX              ? make_hex(m, text, size)
                : format == OUTPUT_JSON           ? make_json(m, text, size)
                : format == OUTPUT_TEXT && masked ? make_masked(m, text, size)
                                                  : 1;

        return r < 0 ? r : !r;
}

int output_text(enum output_format format, int masked, const struct ipw_message *m, char **text, size_t *size)
{
        struct dressed d;
        char *at;
        int r = make(format, masked, m, text, size);

        if (r)
                return r < 0 ? r : 0;
        dress(&d, format, m);
        *size = d.piece[0].iov_len + d.piece[1].iov_len + d.piece[2].iov_len;
        at = *text = malloc(*size + 1);
        if (!at)
                return -ENOMEM;
        for (int i = 0; i < 3; i++)
                if (d.piece[i].iov_len)
                        at = (char *)memcpy(at, d.piece[i].iov_base, d.piece[i].iov_len) + d.piece[i].iov_len;
        return 0;
}

int output_message(int fd, enum output_format format, int masked, const struct ipw_message *m)
{
        struct dressed d;
        char *text;
        size_t size;
        int r = make(format, masked, m, &text, &size);

        if (r < 0)
                return r;
        if (r) {
                r = write_all(fd, &(struct iovec){ text, size }, 1);
                free(text);
                return r;
        }
        dress(&d, format, m);
        return write_all(fd, d.piece, 3);
}
