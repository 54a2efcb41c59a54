/* SPDX-License-Identifier: MIT */
/*
 * By the processor's instruction where there is one, found out at run time; four bits at a time elsewhere. The instruction takes 8 bytes
 * in a cycle but gives its result three cycles later, so long pieces are cut in three lanes that are computed side by side and put together
 * in the end: a lane's checksum is moved over the bytes behind it by a multiplication, which a table does four bits at a time.
 */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

static const uint32_t nibbles[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
        const unsigned char *p = data;

        crc = ~crc;
        for (; size; size--, p++) {
                crc = nibbles[(crc ^ *p) & 15] ^ crc >> 4;
                crc = nibbles[(crc ^ *p >> 4) & 15] ^ crc >> 4;
        }
        return ~crc;
}

#if defined(__x86_64__)

#define BY_INSTRUCTION __attribute__((target("sse4.2")))
#define TAKE8(crc, v)  __builtin_ia32_crc32di(crc, v)
#define TAKE1(crc, v)  __builtin_ia32_crc32qi((uint32_t)(crc), v)

static bool has_instruction(void)
{
        return __builtin_cpu_supports("sse4.2");
}

#elif defined(__aarch64__) && defined(__GNUC__)

#include <asm/hwcap.h>
#include <sys/auxv.h>

#define BY_INSTRUCTION __attribute__((target("+crc")))
#define TAKE8(crc, v)  take8((uint32_t)(crc), v)
#define TAKE1(crc, v)  take1((uint32_t)(crc), v)

static inline uint32_t take8(uint32_t crc, uint64_t v)
{
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(v));
        return crc;
}

static inline uint32_t take1(uint32_t crc, unsigned char v)
{
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)v));
        return crc;
}

static bool has_instruction(void)
{
        return getauxval(AT_HWCAP) & HWCAP_CRC32;
}

#endif

#if defined(BY_INSTRUCTION)

#define LANE ((size_t)1360) /* bytes; three of them are just under a page */

/* What becomes of a checksum by LANE bytes of zero behind it: for each of its eight nibbles, by value; the sum is the whole. */
static const uint32_t over_lane[8][16] = {
        { 0x00000000, 0x79113270, 0xf22264e0, 0x8b335690, 0xe1a8bf31, 0x98b98d41, 0x138adbd1, 0x6a9be9a1, 0xc6bd0893, 0xbfac3ae3,
          0x349f6c73, 0x4d8e5e03, 0x2715b7a2, 0x5e0485d2, 0xd537d342, 0xac26e132 },
        { 0x00000000, 0x889667d7, 0x14c0b95f, 0x9c56de88, 0x298172be, 0xa1171569, 0x3d41cbe1, 0xb5d7ac36, 0x5302e57c, 0xdb9482ab,
          0x47c25c23, 0xcf543bf4, 0x7a8397c2, 0xf215f015, 0x6e432e9d, 0xe6d5494a },
        { 0x00000000, 0xa605caf8, 0x49e7e301, 0xefe229f9, 0x93cfc602, 0x35ca0cfa, 0xda282503, 0x7c2deffb, 0x2273faf5, 0x8476300d,
          0x6b9419f4, 0xcd91d30c, 0xb1bc3cf7, 0x17b9f60f, 0xf85bdff6, 0x5e5e150e },
        { 0x00000000, 0x44e7f5ea, 0x89cfebd4, 0xcd281e3e, 0x1673a159, 0x529454b3, 0x9fbc4a8d, 0xdb5bbf67, 0x2ce742b2, 0x6800b758,
          0xa528a966, 0xe1cf5c8c, 0x3a94e3eb, 0x7e731601, 0xb35b083f, 0xf7bcfdd5 },
        { 0x00000000, 0x59ce8564, 0xb39d0ac8, 0xea538fac, 0x62d66361, 0x3b18e605, 0xd14b69a9, 0x8885eccd, 0xc5acc6c2, 0x9c6243a6,
          0x7631cc0a, 0x2fff496e, 0xa77aa5a3, 0xfeb420c7, 0x14e7af6b, 0x4d292a0f },
        { 0x00000000, 0x8eb5fb75, 0x1887801b, 0x96327b6e, 0x310f0036, 0xbfbafb43, 0x2988802d, 0xa73d7b58, 0x621e006c, 0xecabfb19,
          0x7a998077, 0xf42c7b02, 0x5311005a, 0xdda4fb2f, 0x4b968041, 0xc5237b34 },
        { 0x00000000, 0xc43c00d8, 0x8d947741, 0x49a87799, 0x1ec49873, 0xdaf898ab, 0x9350ef32, 0x576cefea, 0x3d8930e6, 0xf9b5303e,
          0xb01d47a7, 0x7421477f, 0x234da895, 0xe771a84d, 0xaed9dfd4, 0x6ae5df0c },
        { 0x00000000, 0x7b1261cc, 0xf624c398, 0x8d36a254, 0xe9a5f1c1, 0x92b7900d, 0x1f813259, 0x64935395, 0xd6a79573, 0xadb5f4bf,
          0x208356eb, 0x5b913727, 0x3f0264b2, 0x4410057e, 0xc926a72a, 0xb234c6e6 },
};

static uint32_t move_over_lane(uint32_t crc)
{
        uint32_t moved = 0;

        for (unsigned i = 0; i < 8; i++)
                moved ^= over_lane[i][crc >> 4 * i & 15];
        return moved;
}

static inline uint64_t load8(const unsigned char *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return v;
}

BY_INSTRUCTION static uint32_t by_instruction(uint32_t crc, const void *data, size_t size)
{
        const unsigned char *p = data;
        uint64_t c = ~crc;

        for (; size >= 3 * LANE; size -= 3 * LANE, p += 3 * LANE) {
                uint64_t second = 0, third = 0;

                for (size_t i = 0; i < LANE; i += 8) {
                        c = TAKE8(c, load8(p + i));
                        second = TAKE8(second, load8(p + LANE + i));
                        third = TAKE8(third, load8(p + 2 * LANE + i));
                }
                c = move_over_lane(move_over_lane((uint32_t)c) ^ (uint32_t)second) ^ (uint32_t)third;
        }
        for (; size >= 8; size -= 8, p += 8)
                c = TAKE8(c, load8(p));
        for (; size; size--, p++)
                c = TAKE1(c, *p);
        return ~(uint32_t)c;
}

#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
#if defined(BY_INSTRUCTION)
        if (likely(has_instruction()))
                return by_instruction(crc, data, size);
#endif
        return crc32c_portable(crc, data, size);
}
