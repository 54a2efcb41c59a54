/* SPDX-License-Identifier: MIT */
/* SUB: a reader of a log for itself. It gives out record after record from where it was told to begin, and nobody keeps its place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "log_read.h"
#include "sys.h"
#include "why.h"

struct reader {
        struct log log;
        struct readiness readiness;
        struct log_reading reading;
        bool unsure;
};
const size_t log_reader_size = sizeof(struct reader);

void log_fill_message(struct ipw_message *m, const struct log_record *record, uint64_t *lost)
{
        if (record->size)
                memcpy(m->data, record->payload, record->size);
        m->size = record->size;
        m->flags = 0;
        m->token = record->sequence;
        if (*lost) {
                m->flags = IPW_HAS_LOST;
                m->lost = *lost;
                *lost = 0;
        }
}

static int recv_one(struct reader *r, struct ipw_message *m)
{
        struct log_record record;
        int e = log_read_next(&r->reading, &record);

        if (e < 0)
                return e;
        m->size = record.size;
        if (record.size > m->capacity)
                return -EMSGSIZE;
        log_fill_message(m, &record, &r->reading.lost);
        log_cursor_take(&r->reading.cursor, &record);
        return 0;
}

static ssize_t reader_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct reader *r = container_of(link, struct reader, log.link);
        size_t i = 0;
        int e = 0;

        while (i < n && e == 0) {
                e = recv_one(r, &m[i]);
                i += e == 0;
        }
        /* Until a receive has found nothing there may be more, read ahead or in the file, that makes no event. */
        r->unsure = e != -EAGAIN;
        readiness_tell(&r->readiness, r->unsure);
        return i ? (ssize_t)i : e;
}

static int reader_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = container_of(link, struct reader, log.link)->reading.events, .events = POLLIN };
        return 0;
}

static int reader_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct reader *r = container_of(link, struct reader, log.link);

        return readiness_pollfd(&r->readiness, &(struct pollfd){ .fd = r->reading.events, .events = POLLIN }, r->unsure, out);
}

static int reader_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        return log_read_why(&container_of(link, struct reader, log.link)->reading, error, why);
}

static void reader_close(struct link *link, int inherited)
{
        struct reader *r = container_of(link, struct reader, log.link);

        readiness_close(&r->readiness);
        log_read_close(&r->reading);
        log_clear(&r->log);
        free(r);
}

int log_reader_open(const struct request *request, struct log *log, struct ipw_why *why)
{
        static const struct link_ops ops = {
                .recv = reader_recv,
                .watch = reader_watch,
                .pollfd = reader_pollfd,
                .why = reader_why,
                .close = reader_close,
        };
        struct reader *r = container_of(log, struct reader, log);
        uint64_t sequence = 0;
        bool end = false;
        int e;

        r->unsure = true;
        r->readiness = (struct readiness)READINESS_NONE;
        (void)log_from(address_text(request->address, "from"), &sequence, &end);
        e = log_read_open(&r->reading, log, address_number(request->address, "damage"), NULL, why);
        if (e == 0) {
                e = log_read_from(&r->reading, sequence, end);
                if (e < 0)
                        (void)why_call(why, e, log->path, "cannot find where to begin");
        }
        if (e < 0) {
                log_read_close(&r->reading);
                return e;
        }
        log->link.ops = &ops;
        return 0;
}
