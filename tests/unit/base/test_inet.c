/* Addresses of both families. */
#include "test.h"

#include "base/inet.h"

#include <arpa/inet.h>

static bool unmap(const char *text, uint8_t bytes[16])
{
    EXPECT_INT(inet_pton(AF_INET6, text, bytes), 1);
    return inet_unmap(bytes);
}

/* RFC 4291 §2.5.5.2 */
TEST(test_a_mapped_address_is_known_by_its_ipv4_address)
{
    static const uint8_t expected[16] = {192, 0, 2, 33};
    uint8_t bytes[16];
    EXPECT(unmap("::ffff:192.0.2.33", bytes));
    EXPECT(memcmp(bytes, expected, sizeof bytes) == 0);
    EXPECT(unmap("::ffff:0.0.0.0", bytes));
    EXPECT(!inet_unmap(bytes)); /* what is one already stays as it is */
}

TEST(test_all_other_addresses_stay_as_they_are)
{
    static const char *const others[] = {"::1",         "::",           "::192.0.2.33",
                                         "1::ffff:1:2", "::ffff:0:1:2", "::fffe:192.0.2.33",
                                         "2001:db8::1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        uint8_t bytes[16], before[16];
        EXPECT_INT(inet_pton(AF_INET6, others[i], before), 1);
        EXPECT(!unmap(others[i], bytes));
        EXPECT(memcmp(bytes, before, sizeof bytes) == 0);
    }
}
