// SPDX-License-Identifier: MIT
// Boost.Interprocess message_queue, which locks a mutex for each message.
#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdlib>
#include <cstring>

using boost::interprocess::message_queue;
namespace interprocess = boost::interprocess;

extern "C" {
#include "rings.h"
}

enum { ENTRIES = 16384 };

static void make(struct lane *l)
{
        message_queue(interprocess::create_only, l->name, l->options ? atoi(l->options) : ENTRIES, l->size);
}

static void join(struct lane *l, int)
{
        l->link = new message_queue(interprocess::open_only, l->name);
}

static void send_one(struct lane *l, uint64_t number, unsigned)
{
        fill(l, l->buffer, number);
        static_cast<message_queue *>(l->link)->send(l->buffer, l->size, 0);
}

static unsigned recv_one(struct lane *l, uint64_t *number)
{
        message_queue *queue = static_cast<message_queue *>(l->link);
        message_queue::size_type size;
        unsigned priority;

        if (!queue->try_receive(l->buffer, l->size, size, priority) &&
            !queue->timed_receive(l->buffer, l->size, size, priority,
                                  boost::posix_time::microsec_clock::universal_time() + boost::posix_time::milliseconds(2)))
                return 0;
        *number = use(l, l->buffer);
        return 1;
}

static void unmake(struct lane *l)
{
        message_queue::remove(l->name);
}

extern "C" const struct way limit_boost = { make, join, send_one, recv_one, unmake };
