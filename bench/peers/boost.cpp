// SPDX-License-Identifier: MIT
// Boost.Interprocess message_queue, which locks a mutex for each message. What is opened, if it is said, is how many messages it holds.
#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using boost::interprocess::message_queue;
namespace interprocess = boost::interprocess;

extern "C" {
#include "message.h"
#include "module.h"
}

enum { ENTRIES = 16384 };

static void make(struct channel *c, const char *)
{
        if (c->size != BENCH_LINE)
                trouble("here it passes %d bytes", BENCH_LINE);
        for (int i = 0; i <= c->back; i++) {
                (void)snprintf(c->names[i], sizeof(c->names[i]), "ipcway-bench-%d-%d", (int)getpid(), i);
                message_queue(interprocess::create_only, c->names[i], c->address && *c->address ? atoi(c->address) : ENTRIES, c->size);
        }
}

// What is received from comes first.
static void join(struct channel *c, int process)
{
        bool sends = (unsigned)process < c->producers;

        c->peer[sends] = new message_queue(interprocess::open_only, c->names[0]);
        if (c->back)
                c->peer[!sends] = new message_queue(interprocess::open_only, c->names[1]);
}

static void put(struct channel *c, uint64_t number, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                bench_mark(c->out_buffer, c->size, number + i);
                static_cast<message_queue *>(c->peer[1])->send(c->out_buffer, c->size, 0);
        }
}

static size_t take(struct channel *c, uint64_t *number, size_t n)
{
        message_queue *queue = static_cast<message_queue *>(c->peer[0]);
        message_queue::size_type size;
        unsigned priority;

        if (n == 0 || (!queue->try_receive(c->in_buffer, c->size, size, priority) &&
                       !queue->timed_receive(c->in_buffer, c->size, size, priority,
                                             boost::posix_time::microsec_clock::universal_time() + boost::posix_time::milliseconds(2))))
                return 0;
        *number = bench_marked(c->in_buffer, c->size);
        return 1;
}

static void unmake(struct channel *c)
{
        for (const char *name : c->names)
                if (*name)
                        message_queue::remove(name);
}

static bench_way describe()
{
        bench_way way = {};

        way.make = make;
        way.join = join;
        way.put = put;
        way.take = take;
        way.unmake = unmake;
        way.no_loop = way.no_poll = 1;
        way.most = BENCH_LINE;
        return way;
}

extern "C" {
extern const struct bench_way peer_boost;
const struct bench_way peer_boost = describe();

BENCH_OFFERS({ "shm", "Boost.Interprocess: message_queue of 1 MiB", &peer_boost })
}
