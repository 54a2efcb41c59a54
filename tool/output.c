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

static int write_made(int fd, char *text, size_t size)
{
        struct iovec piece = { text, size };
        int r = text ? write_all(fd, &piece, 1) : -ENOMEM;

        free(text);
        return r;
}

static int write_hex(int fd, const struct ipw_message *m)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *from = m->data;
        char *text = malloc(m->size * 2 + 1);

        for (size_t i = 0; text && i < m->size; i++) {
                text[2 * i] = digits[from[i] >> 4];
                text[2 * i + 1] = digits[from[i] & 15];
        }
        if (text)
                text[2 * m->size] = '\n';
        return write_made(fd, text, m->size * 2 + 1);
}

/* What a terminal would obey is shown instead; newline and tab are harmless, and bytes over 0x7f are left to its encoding. */
static int write_masked(int fd, const struct ipw_message *m)
{
        const unsigned char *from = m->data;
        char *text = malloc(m->size * 4 + 2);
        size_t n = 0;

        for (size_t i = 0; text && i < m->size; i++)
                if ((from[i] < 0x20 && from[i] != '\n' && from[i] != '\t') || from[i] == 0x7f)
                        n += (size_t)sprintf(text + n, "\\x%02x", from[i]);
                else
                        text[n++] = (char)from[i];
        if (text && (n == 0 || text[n - 1] != '\n'))
                text[n++] = '\n';
        return write_made(fd, text, n);
}

static int write_json(int fd, const struct ipw_message *m)
{
        char *text = NULL;
        size_t size = 0;
        FILE *memory = open_memstream(&text, &size);
        int r;

        if (!memory)
                return -ENOMEM;
        r = json_message_print(memory, m);
        if (fclose(memory) != 0 && r == 0)
                r = -ENOMEM;
        if (r == 0)
                return write_made(fd, text, size);
        free(text);
        return r;
}

int output_message(int fd, enum output_format format, int masked, const struct ipw_message *m)
{
        unsigned char head[4] = { (unsigned char)(m->size >> 24), (unsigned char)(m->size >> 16), (unsigned char)(m->size >> 8),
                                  (unsigned char)m->size };
        char newline = '\n', nul = 0;
        struct iovec piece[3] = { { head, 0 }, { m->data, m->size }, { &newline, 0 } };

        switch (format) {
        case OUTPUT_TEXT:
                if (masked)
                        return write_masked(fd, m);
                piece[2].iov_len = m->size == 0 || ((char *)m->data)[m->size - 1] != '\n';
                break;
        case OUTPUT_LINE:
                piece[2].iov_len = 1;
                break;
        case OUTPUT_NUL:
                piece[2] = (struct iovec){ &nul, 1 };
                break;
        case OUTPUT_RAW:
                break;
        case OUTPUT_HEX:
                return write_hex(fd, m);
        case OUTPUT_JSON:
                return write_json(fd, m);
        case OUTPUT_LEN4BE:
                piece[0].iov_len = 4;
                break;
        }
        return write_all(fd, piece, 3);
}
