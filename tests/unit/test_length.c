/* SPDX-License-Identifier: MIT */
/* Lengths before messages: the codec byte by byte, and links over a pipe with plain read(2) and write(2) on the other side. */
#include <limits.h>
#include <poll.h>

#include "length.h"
#include "likeness.h"
#include "plain.h"

static const char *const words[] = { "len1", "len2be", "len2le", "len4be", "len4le", "len8be", "len8le", "netstring" };

/* ---- the codec ------------------------------------------------------------------------------------------------------------------------- */

static void test_bytes(void **state)
{
        static const struct {
                const char *word;
                uint64_t size;
                const char *bytes;
                size_t count;
        } known[] = {
                { "len1", 5, "\5", 1 },
                { "len1", 255, "\377", 1 },
                { "len2be", 5, "\0\5", 2 },
                { "len2be", 0xabcd, "\xab\xcd", 2 },
                { "len2le", 0xabcd, "\xcd\xab", 2 },
                { "len4be", 0x01020304, "\1\2\3\4", 4 },
                { "len4le", 0x01020304, "\4\3\2\1", 4 },
                { "len8be", 0x0102030405, "\0\0\0\1\2\3\4\5", 8 },
                { "len8le", 0x0102030405, "\5\4\3\2\1\0\0\0", 8 },
                { "netstring", 0, "0:", 2 },
                { "netstring", 5, "5:", 2 },
                { "netstring", 1234567890, "1234567890:", 11 },
                { "netstring", 9999999999999999999u, "9999999999999999999:", 20 },
        };

        for (size_t i = 0; i < COUNT_OF(known); i++) {
                const struct length *l = length_named(known[i].word);
                char bytes[LENGTH_HEADER];
                uint64_t size = 77;
                size_t header = 77;

                assert_non_null(l);
                assert_int_equal(length_header(l, known[i].size), known[i].count);
                assert_int_equal(length_put(l, bytes, known[i].size), known[i].count);
                assert_memory_equal(bytes, known[i].bytes, known[i].count);
                for (size_t have = 0; have < known[i].count; have++)
                        assert_int_equal(length_get(l, bytes, have, &size, &header), 0);
                assert_int_equal(size, 77);
                assert_int_equal(header, 77);
                assert_int_equal(length_get(l, bytes, known[i].count, &size, &header), 1);
                assert_true(size == known[i].size);
                assert_int_equal(header, known[i].count);
        }
        assert_null(length_named("len3be"));
        assert_null(length_named("line"));
}

static void test_no_netstring(void **state)
{
        static const char *const bad[] = { ":", "a", "-1:", " 1:", "00:", "01:", "1a", "1;", "\n", "12345678901234567890:" };
        const struct length *l = length_named("netstring");
        uint64_t size;
        size_t header;

        for (size_t i = 0; i < COUNT_OF(bad); i++) {
                size_t have = 0;
                int r;

                while ((r = length_get(l, bad[i], have, &size, &header)) == 0 && have < strlen(bad[i]))
                        have++;
                if (r != -EBADMSG)
                        fail_msg("\"%s\" gives %d", bad[i], r);
        }
}

static void test_lead(void **state)
{
        static const struct length ipc = { .lead = 1, .size = 8 };
        uint64_t size;
        size_t header;
        char bytes[LENGTH_HEADER];

        assert_int_equal(length_put(&ipc, bytes, 2), 9);
        assert_memory_equal(bytes, "\1\0\0\0\0\0\0\0\2", 9);
        assert_int_equal(length_get(&ipc, bytes, 9, &size, &header), 1);
        assert_int_equal(header, 9);
        assert_int_equal(length_get(&ipc, "\2", 1, &size, &header), -EBADMSG);
        assert_int_equal(length_get(&ipc, "\0\0\0\0\0\0\0\0\0", 9, &size, &header), -EBADMSG);
}

static void test_likeness(void **state)
{
        char hex[3 * LIKENESS_BYTES + 1];

        assert_string_equal(likeness("\0SP\0\0P\0\0", 8), "the handshake of nanomsg or nng");
        assert_string_equal(likeness("\377\0\0\0\0\0\0\0\1\177", 10), "the greeting of ZeroMQ");
        assert_string_equal(likeness("GET / HT", 8), "HTTP");
        assert_string_equal(likeness("ipw\1", 4), "a fragment of framing=frame");
        assert_string_equal(likeness("hello\n", 6), "text");
        assert_string_equal(likeness("\1\2", 2), "something else");
        likeness_hex(hex, "\0SP", 3);
        assert_string_equal(hex, " 00 53 50");
}

/* ---- links -------------------------------------------------------------------------------------------------------------------------------- */

/* The bytes of one message, for as plain a program as can be. */
static size_t wrap(const char *word, char *to, const char *payload, size_t size)
{
        const struct length *l = length_named(word);
        size_t header = length_put(l, to, size);

        memcpy(to + header, payload, size);
        if (l->tail)
                to[header + size] = ',';
        return header + size + l->tail;
}

static void test_there_and_back(void **state)
{
        char bytes[64], options[40];

        for (size_t i = 0; i < COUNT_OF(words); i++) {
                char stack[40];
                size_t size;

                (void)snprintf(options, sizeof(options), "framing=%s", words[i]);
                (void)snprintf(stack, sizeof(stack), "%s/pipe", words[i]);
                plain_open(options, IPW_PUSH);
                assert_string_equal(ipw_link_caps(plain_link)->stack, stack);
                assert_int_equal(talk_send(plain_link, "a\0\n", 3, 0), 3);
                assert_int_equal(talk_send(plain_link, "", 0, 0), 0);
                size = wrap(words[i], bytes, "a\0\n", 3);
                size += wrap(words[i], bytes + size, "", 0);
                plain_see(bytes, size);
                plain_close();
                plain_open(options, IPW_PULL);
                plain_put(bytes, size);
                size = wrap(words[i], bytes, "second", 6);
                for (size_t k = 0; k < size; k++) { /* byte by byte */
                        if (k == 0) {
                                char buffer[8];
                                struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

                                assert_int_equal(ipw_recv(plain_link, &m, 0), 3);
                                assert_memory_equal(buffer, "a\0\n", 3);
                                talk_expect(plain_link, "");
                        }
                        talk_nothing(plain_link, EAGAIN);
                        plain_put(bytes + k, 1);
                }
                talk_expect(plain_link, "second");
                plain_put(bytes, size - 1);
                plain_hang_up();
                talk_nothing(plain_link, EPIPE); /* half a message is none */
                talk_nothing(plain_link, EPIPE);
                assert_int_equal(talk_stats(plain_link).discarded, 1);
                plain_close();
        }
}

static void test_limits(void **state)
{
        static const struct {
                const char *options;
                size_t most;
        } known[] = { { "framing=len1", 255 },
                      { "framing=len2le", PIPE_BUF - 2 },
                      { "framing=len4be", PIPE_BUF - 4 },
                      { "framing=len8le", PIPE_BUF - 8 },
                      { "framing=netstring", PIPE_BUF - 6 },
                      { "framing=nul", PIPE_BUF - 1 },
                      { "framing=len4le&max=100", 100 },
                      { "framing=len2be&writers=1", UINT16_MAX },
                      { "framing=len1&writers=1", 255 } };
        char *large = calloc(1, UINT16_MAX + 8), *back = malloc(UINT16_MAX + 8), address[64];
        struct ipw_caps described;

        memset(large, 'x', UINT16_MAX + 1);
        for (size_t i = 0; i < COUNT_OF(known); i++) {
                plain_open(known[i].options, IPW_PUSH);
                assert_int_equal(ipw_link_caps(plain_link)->max_msg, known[i].most);
                (void)snprintf(address, sizeof(address), "pipe:?%s", known[i].options);
                assert_int_equal(ipw_describe(address, &described, NULL), 0);
                assert_int_equal(described.max_msg, known[i].most);
                assert_int_equal(described.flags & IPW_CAP_MANY_SENDERS, ipw_link_caps(plain_link)->flags & IPW_CAP_MANY_SENDERS);
                assert_int_equal(talk_send(plain_link, large, known[i].most + 1, 0), -EMSGSIZE);
                if (known[i].most > 255 && known[i].most < UINT16_MAX)
                        talk_says(plain_link, "writers=1");
                assert_int_equal(read(plain_fd, back, UINT16_MAX), -1); /* not a byte */
                if (known[i].most < PIPE_BUF) {
                        assert_int_equal(talk_send(plain_link, large, known[i].most, 0), known[i].most);
                        assert_true(read(plain_fd, back, UINT16_MAX) <= PIPE_BUF);
                }
                plain_close();
        }
        free(large);
        free(back);
}

/* What is larger than max= is passed over, in whatever pieces it comes, and the next message tells. */
static void test_too_large(void **state)
{
        char bytes[64], options[40], buffer[16];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };

        for (size_t i = 0; i < COUNT_OF(words); i++) {
                size_t size;

                (void)snprintf(options, sizeof(options), "framing=%s&max=5", words[i]);
                plain_open(options, IPW_PULL);
                size = wrap(words[i], bytes, "123456", 6);
                size += wrap(words[i], bytes + size, "12345", 5);
                for (size_t k = 0; k < size; k++) {
                        talk_nothing(plain_link, EAGAIN);
                        plain_put(bytes + k, 1);
                }
                assert_int_equal(ipw_recv(plain_link, &m, 0), 5);
                assert_memory_equal(buffer, "12345", 5);
                assert_true(m.flags & IPW_HAS_LOST);
                assert_int_equal(m.lost, 1);
                size = wrap(words[i], bytes, "1234567", 7);
                plain_put(bytes, size - 3);
                plain_hang_up();
                talk_nothing(plain_link, EPIPE);
                assert_int_equal(talk_stats(plain_link).dropped, 2);
                assert_int_equal(talk_stats(plain_link).discarded, 0);
                plain_close();
        }
}

/* Nobody means 2^64-1 bytes. Below that, announced is not yet there: a short message after a gigabyte's length takes no memory, and waits. */
static void test_mad_lengths(void **state)
{
        plain_open("framing=len8be&max=1G", IPW_PULL);
        plain_put("\377\377\377\377\377\377\377\377", 8);
        talk_nothing(plain_link, EBADMSG);
        talk_says(plain_link, "18446744073709551615 bytes");
        talk_nothing(plain_link, EBADMSG);
        plain_close();
        plain_open("framing=len8be", IPW_PULL); /* negative, where somebody takes it for signed */
        plain_put("\200\0\0\0\0\0\0\0", 8);
        talk_nothing(plain_link, EBADMSG);
        talk_says(plain_link, "9223372036854775808 bytes");
        plain_close();
        plain_open("framing=netstring", IPW_PULL);
        plain_put("9999999999999999999:x", 21);
        talk_nothing(plain_link, EBADMSG);
        plain_close();
        plain_open("framing=netstring", IPW_PULL);
        plain_put("3:abc;", 6);
        talk_nothing(plain_link, EBADMSG);
        plain_close();
        plain_open("framing=netstring", IPW_PULL);
        plain_put("hello\n", 6);
        talk_nothing(plain_link, EBADMSG);
        talk_says(plain_link, "looks like text");
        talk_says(plain_link, "68 65 6c 6c 6f");
        plain_close();
        plain_open("framing=len4be&max=1G", IPW_PULL);
        plain_put("\77\377\377\377hello", 9);
        talk_nothing(plain_link, EAGAIN);
        plain_hang_up();
        talk_nothing(plain_link, EPIPE);
        assert_int_equal(talk_stats(plain_link).discarded, 1);
}

static void test_short_buffer(void **state)
{
        char bytes[64], buffer[20];
        struct ipw_message m[3] = { { .data = buffer, .capacity = 4 },
                                    { .data = buffer + 6, .capacity = 6 },
                                    { .data = buffer, .capacity = 9 } };
        size_t size;

        plain_open("framing=len2be", IPW_PULL);
        size = wrap("len2be", bytes, "longer", 6);
        size += wrap("len2be", bytes + size, "next", 4);
        size += wrap("len2be", bytes + size, "half", 4);
        plain_put(bytes, size - 1);
        assert_int_equal(ipw_recv(plain_link, m, 0), -EMSGSIZE);
        assert_int_equal(m[0].size, 6);
        m[0].capacity = 6;
        assert_int_equal(ipw_recv_many(plain_link, m, 3, 0), 2);
        assert_int_equal(m[1].size, 4);
        assert_memory_equal(buffer, "longernext", 10);
        talk_nothing(plain_link, EAGAIN);
}

/* Far more than what is read ahead, in pieces, into buffers that change while a message is half there. */
static void test_large(void **state)
{
        enum { SIZE = 300000, MESSAGES = 6 };
        char *buffers[2] = { malloc(SIZE + 1), malloc(SIZE + 1) }, *sent = malloc(SIZE), to[64], from[64];
        pid_t pid;

        assert_int_equal(ipw_ends(to, from, "pipe:?framing=len4le&writers=1", IPW_PUSH, NULL), 0);
        pid = fork_child();
        if (pid == 0) {
                ipw_end_drop(from);
                plain_link = talk_open(to, IPW_PUSH);
                for (uint32_t i = 0; i < MESSAGES; i++) {
                        talk_fill(sent, SIZE - i, 1, i);
                        CHILD_CHECK(talk_send(plain_link, sent, SIZE - i, i % 2 ? IPW_FOREVER : IPW_MS(PATIENCE)) == SIZE - i);
                        CHILD_CHECK(talk_send(plain_link, "between", 7, IPW_FOREVER) == 7);
                }
                CHILD_CHECK(ipw_close(plain_link) == 0);
                _exit(0);
        }
        ipw_end_drop(to);
        plain_link = talk_open(from, IPW_PULL);
        for (uint32_t i = 0; i < MESSAGES; i++) {
                struct ipw_message m = { .capacity = SIZE - i };
                ssize_t n = -EAGAIN;

                for (unsigned k = 0; n == -EAGAIN; k++) { /* another buffer each time, one of them too short for direct reading */
                        struct pollfd fd;

                        assert_int_equal(ipw_pollfd(plain_link, IPW_RECV, &fd), 0);
                        assert_int_equal(poll(&fd, 1, PATIENCE), 1);
                        m.data = buffers[k % 2];
                        n = ipw_recv(plain_link, &m, i == MESSAGES - 1 ? IPW_FOREVER : 0);
                }
                assert_int_equal(n, SIZE - i);
                assert_true(talk_good(m.data, m.size));
                talk_expect(plain_link, "between");
        }
        assert_int_equal(reap(pid), 0); /* it has closed its end */
        talk_nothing(plain_link, EPIPE);
        free(buffers[0]);
        free(buffers[1]);
        free(sent);
}

static void test_nul(void **state)
{
        plain_open("framing=nul", IPW_PUSH);
        assert_string_equal(ipw_link_caps(plain_link)->stack, "nul/pipe");
        assert_int_equal(talk_send(plain_link, "a\nb", 3, 0), 3);
        plain_see("a\nb", 4);
        assert_int_equal(talk_send(plain_link, "a\0b", 3, 0), -EINVAL);
        talk_says(plain_link, "NUL byte, at byte 1");
        plain_close();
        plain_open("framing=nul&max=5", IPW_PULL);
        plain_put("one\0\0tw", 7);
        talk_expect(plain_link, "one");
        talk_expect(plain_link, "");
        talk_nothing(plain_link, EAGAIN);
        plain_put("o\n\0too long\0end", 15);
        talk_expect(plain_link, "two\n");
        talk_nothing(plain_link, EAGAIN);
        assert_int_equal(talk_stats(plain_link).dropped, 1);
        plain_hang_up();
        talk_nothing(plain_link, EPIPE); /* what has no NUL was cut off */
        assert_int_equal(talk_stats(plain_link).discarded, 1);
}

/* Who reads one framing is not written another. */
static void test_mismatch(void **state)
{
        char to[64], from[64], wrong[100];

        assert_int_equal(ipw_ends(to, from, "pipe:", IPW_PUSH, NULL), 0);
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=len8le", from);
        plain_link = talk_open(wrong, IPW_PULL);
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=netstring", to);
        talk_refuse(wrong, IPW_PUSH, EPROTO, "reads framing=len8le");
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=line", to);
        talk_refuse(wrong, IPW_PUSH, EPROTO, "reads framing=len8le");
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=frame", to);
        talk_refuse(wrong, IPW_PUSH, EPROTO, "reads framing=len8le");
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=auto", to);
        {
                struct ipw_link *sender = talk_open(wrong, IPW_PUSH);

                assert_string_equal(ipw_link_caps(sender)->stack, "len8le/pipe");
                assert_int_equal(talk_send(sender, "x", 1, 0), 1);
                (void)ipw_close(sender);
        }
        talk_expect(plain_link, "x");
        (void)ipw_close(plain_link);
        assert_int_equal(ipw_ends(to, from, "pipe:", IPW_PUSH, NULL), 0);
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=auto", from);
        plain_link = talk_open(wrong, IPW_PULL);
        (void)snprintf(wrong, sizeof(wrong), "%s?framing=len1", to);
        talk_refuse(wrong, IPW_PUSH, EPROTO, "reads framing=auto");
        ipw_end_drop(to);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, plain_setup, plain_teardown)
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_no_netstring),
                cmocka_unit_test(test_lead),
                cmocka_unit_test(test_likeness),
                T(test_there_and_back),
                T(test_limits),
                T(test_too_large),
                T(test_mad_lengths),
                T(test_short_buffer),
                T(test_large),
                T(test_nul),
                T(test_mismatch),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
