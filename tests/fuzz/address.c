/* SPDX-License-Identifier: MIT */
/*
 * The address parser over every registered mechanism. What it takes, it prints, and takes again as the same; what it refuses, it refuses with
 * the same error in return value and text, and leaves the output alone.
 */
#include "address.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check_same(const struct ipw_address *a, const struct ipw_address *b)
{
        must(a->mechanism == b->mechanism && strcmp(a->rest, b->rest) == 0 && !a->fragment == !b->fragment);
        must(!a->fragment || strcmp(a->fragment, b->fragment) == 0);
        must(a->given_count == b->given_count);
        for (unsigned i = 0; i < a->given_count; i++)
                must(a->given[i].option == b->given[i].option && a->given[i].number == b->given[i].number &&
                     strcmp(a->given[i].text, b->given[i].text) == 0);
}

static void check_why(const struct ipw_why *why, int r)
{
        must(why->error == -r && memchr(why->text, 0, sizeof(why->text)) && *why->text);
        for (const char *c = why->text; *c; c++)
                must((unsigned char)*c >= ' ' && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1), *printed;
        struct ipw_address *a = NULL, *b = NULL;
        struct ipw_why why = { 0 };
        struct ipw_caps caps;
        int r, length;

        must(text != NULL);
        memcpy(text, data, size);
        text[size] = 0;
        r = ipw_address_parse(&a, text, &why);
        must((r == 0) == (a != NULL));
        must(ipw_address_parse(&b, text, NULL) == r);
        ipw_address_free(b);
        if (r < 0) {
                check_why(&why, r);
        } else {
                length = ipw_address_print(a, NULL, 0);
                must(length > 0);
                printed = malloc((size_t)length + 1);
                must(printed && ipw_address_print(a, printed, (size_t)length + 1) == length && strlen(printed) == (size_t)length);
                must(ipw_address_parse(&b, printed, &why) == 0);
                check_same(a, b);
                must(ipw_describe(printed, &caps, &why) == 0);
                must(caps.min_msg <= caps.max_msg && memchr(caps.stack, 0, sizeof(caps.stack)));
                ipw_address_free(b);
                free(printed);
        }
        ipw_address_free(a);
        free(text);
        return 0;
}
